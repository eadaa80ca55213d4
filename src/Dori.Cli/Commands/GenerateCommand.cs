using System.ComponentModel;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Pictures;
using Spectre.Console;
using Spectre.Console.Cli;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

internal sealed class GenerateSettings : SamplingSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandArgument(1, "<PROMPT>"), Description("What to draw")]
    public string Prompt { get; init; } = "";

    [CommandOption("-n|--generations <N>"), Description("How many pictures (default: 4, or as many as --latents has)")]
    public int? Count { get; init; }

    [CommandOption("--width <PIXELS>"), Description("Width of the pictures (default: the model's)")]
    public int? Width { get; init; }

    [CommandOption("--height <PIXELS>"), Description("Height of the pictures (default: the model's)")]
    public int? Height { get; init; }

    [CommandOption("--latents <FILE>"),
        Description("Start from these and not from the seed: safetensors with one tensor, latents, a picture each, as diffusers' latents=")]
    public string? Latents { get; init; }

    [CommandOption("--save-latents <FILE>"),
        Description("Keep the final latents too, in one file, as diffusers' output_type=\"latent\" gives them")]
    public string? SaveLatents { get; init; }

    [CommandOption("-o|--output <DIR>"), Description("Where to put them"), DefaultValue("pictures")]
    public string Output { get; init; } = "pictures";
}

internal sealed class GenerateCommand(Shell shell) : Command<GenerateSettings>
{
    private const int DefaultCount = 4, MostPictures = 10_000;

    protected override int Execute(CommandContext context, GenerateSettings settings, CancellationToken cancellation)
    {
        if (settings.Count is < 1 or > MostPictures)
            throw new DoriException($"-n {settings.Count}: 1 to {MostPictures} pictures are possible");
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(settings.OpenModel(settings.Model), settings.Device, settings.Dtype);
        // a small model's pictures side by side: more threads each cost, and gain little
        Workers workers = settings.Machine.WorkersFor(model);
        set_num_threads(workers.ThreadsEach);
        shell.Warn([.. model.Notes, .. CaptionLosses.Of([("the prompt", settings.Prompt)], model.Tokenizer)]);
        var options = new GenerationOptions
        {
            Guidance = settings.Guidance ?? model.Defaults.Guidance,
            Scheduler = model.SchedulerWith(settings.SamplerName ?? model.Defaults.Sampler),
            Steps = settings.SamplerSteps ?? model.Defaults.SamplerSteps,
            Batch = 1, // a picture then depends on nothing but its own noise
        };
        Tensor? given = settings.Latents is { } file ? LatentsFile.Read(file, model.UNet.Config.InChannels) : null;
        long[] shape = Shape(settings, model, given);
        int count = Count(settings, given);
        Conditioning y = model.Embed(settings.Prompt), yNull = model.EmbedNothing();
        RandomSource random = RandomSource.For("generate", settings.Seed.ToString());
        AtomicFile.MakeFolder(settings.Output);
        var files = new List<string>();
        var drawn = new List<Tensor>();
        workers.Run(count, Draw, Keep, shell.Interrupted);
        if (settings.SaveLatents is { } target) LatentsFile.Write(target, cat(drawn, 0));
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(files));
        return DoriApp.Done;

        (byte[] Png, Tensor? Latents) Draw(int k)
        {
            using var inner = NewDisposeScope();
            Tensor noise = given?.narrow(0, k, 1) ?? random.Derive("generation", k).Normal(shape);
            Tensor latents = Generation.Latents(model, y, yNull, noise, options, shell.Interrupted);
            return (Picture.EncodePng(model.Decode(latents)[0]),
                settings.SaveLatents is null ? null : latents.cpu().DetachFromDisposeScope());
        }

        void Keep((byte[] Png, Tensor? Latents) picture)
        {
            if (picture.Latents is not null) drawn.Add(picture.Latents);
            files.Add(Path.Combine(settings.Output, $"{settings.Seed}-{files.Count}.png"));
            AtomicFile.WriteBytes(files[^1], picture.Png);
            if (!settings.Quiet && !settings.Json) shell.Console.WriteLine(files[^1]);
        }
    }

    /// <summary>(1, C, h, w) of one picture's latent.</summary>
    private static long[] Shape(GenerateSettings settings, DiffusionModel model, Tensor? given)
    {
        long side = model.UNet.Config.SampleSize;
        return [1, model.UNet.Config.InChannels, Side(settings.Height, "height", model, given?.shape[2] ?? side, given is not null),
            Side(settings.Width, "width", model, given?.shape[3] ?? side, given is not null)];
    }

    private static long Side(int? pixels, string name, DiffusionModel model, long own, bool given)
    {
        int scale = model.Vae.Scale;
        if (pixels is not { } asked) return own;
        if (asked < scale || asked > Picture.LongestSide || asked % scale != 0)
            throw new DoriException($"--{name} {asked}: a multiple of {scale} up to {Picture.LongestSide} is possible");
        return !given || asked / scale == own ? asked / scale
            : throw new DoriException($"--{name} {asked}: the latents of --latents give {own * scale} pixels; leave one of the two out");
    }

    private static int Count(GenerateSettings settings, Tensor? given)
    {
        if (given is null) return settings.Count ?? DefaultCount;
        long there = given.shape[0];
        if (there > MostPictures) throw new DoriException($"--latents {settings.Latents}: {there} pictures; {MostPictures} are possible");
        return settings.Count is { } asked && asked != there
            ? throw new DoriException($"-n {asked}: --latents {settings.Latents} holds {there}; leave -n out") : (int)there;
    }
}
