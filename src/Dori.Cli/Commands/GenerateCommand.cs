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

    [CommandOption("-n|--generations <N>"), Description("How many pictures"), DefaultValue(4)]
    public int Count { get; init; } = 4;

    [CommandOption("-o|--output <DIR>"), Description("Where to put them"), DefaultValue("pictures")]
    public string Output { get; init; } = "pictures";
}

internal sealed class GenerateCommand(Shell shell) : Command<GenerateSettings>
{
    protected override int Execute(CommandContext context, GenerateSettings settings, CancellationToken cancellation)
    {
        if (settings.Count is < 1 or > 10_000) throw new DoriException($"-n {settings.Count}: 1 to 10000 pictures are possible");
        set_num_threads(settings.Threads);
        using var scope = NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(settings.OpenModel(settings.Model), settings.Device, settings.Dtype);
        shell.Warn([.. model.Notes, .. CaptionLosses.Of([("the prompt", settings.Prompt)], model.Tokenizer)]);
        var options = new GenerationOptions
        {
            Guidance = settings.Guidance ?? model.Defaults.Guidance,
            Scheduler = model.SchedulerWith(settings.SamplerName ?? model.Defaults.Sampler),
            Steps = settings.SamplerSteps ?? model.Defaults.SamplerSteps,
            Batch = 1, // a picture then depends on nothing but its own noise
        };
        Conditioning y = model.Embed(settings.Prompt), yNull = model.Embed("");
        RandomSource random = RandomSource.For("generate", settings.Seed.ToString());
        AtomicFile.MakeFolder(settings.Output);
        var files = new List<string>();
        for (int k = 0; k < settings.Count; k++)
        {
            using var inner = NewDisposeScope();
            Tensor noise = random.Derive("generation", k).Normal([1, .. model.LatentShape]);
            Tensor picture = Generation.Pictures(model, y, yNull, noise, options, shell.Interrupted);
            files.Add(Path.Combine(settings.Output, $"{settings.Seed}-{k}.png"));
            Picture.Save(files[^1], picture[0]);
            if (!settings.Quiet && !settings.Json) shell.Console.WriteLine(files[^1]);
        }
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(files));
        return DoriApp.Done;
    }
}
