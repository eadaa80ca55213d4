using System.ComponentModel;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console.Cli;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

internal sealed class MitigateSissSettings : MitigatePicturesSettings
{
    [CommandOption("--keep <DIR>"), Description("An imagefolder of ordinary pictures to keep (default: generations of each caption that are unlike its picture)")]
    public string? Keep { get; init; }

    [CommandOption("--lambda <L>"), Description("The mixture's share of the picture to forget (default: 0.5)")]
    public double? Lambda { get; init; }

    [CommandOption("--forgetting-share <S>"), Description("Length of the forgetting gradient in lengths of the keeping one (default: 0.1)")]
    public double? ForgettingShare { get; init; }

    [CommandOption("--last-timesteps <N>"), Description("Trains the last N time steps of the schedule (default: 1)")]
    public int? LastTimesteps { get; init; }
}

internal sealed class MitigateSissCommand(Shell shell) : Command<MitigateSissSettings>
{
    protected override int Execute(CommandContext context, MitigateSissSettings settings, CancellationToken cancellation)
    {
        PictureSet? keep = settings.Keep is { } folder ? PictureSet.Load(folder) : null;
        var job = new MitigateTrainingJob(shell, settings, "siss", "SISS");
        return job.Run((model, set) =>
        {
            SissOptions options = Options(settings, SissOptions.For(model, set.Items.Count));
            options.Check(model.Schedule.NumTrainTimesteps);
            (Tensor[] kept, PreparedPictures[] prepared) = keep is not null ? Given(model, set, keep, settings.Keep!) : Generated(job, settings, model, set);
            SissTarget[] targets = [.. set.Items.Zip(kept, (item, x) => new SissTarget(item.Caption, MitigateTrainingJob.Latents(model, item), x))];
            return new MitigateTrainingPlan(new MitigateOptions(Siss: options), prepared, (random, control) => Siss.Run(model, targets, options, random, control));
        }, keep?.Sha256 ?? $"{settings.Generated} {settings.Tries} {settings.MostSimilar} {settings.Guidance} {settings.Generator}");
    }

    private static SissOptions Options(MitigateSissSettings settings, SissOptions preset)
    {
        int batch = settings.Batch ?? preset.Batch;
        return preset with
        {
            Training = preset.Training with { Steps = settings.Iterations ?? preset.Training.Steps, LearningRate = settings.LearningRate ?? preset.Training.LearningRate },
            Batch = batch,
            MicroBatch = settings.MicroBatch ?? Math.Min(preset.MicroBatch, batch),
            Lambda = settings.Lambda ?? preset.Lambda,
            ForgettingShare = settings.ForgettingShare ?? preset.ForgettingShare,
            LastTimesteps = settings.LastTimesteps ?? preset.LastTimesteps,
        };
    }

    private static (Tensor[], PreparedPictures[]) Given(DiffusionModel model, PictureSet set, PictureSet keep, string folder)
    {
        PictureItem? both = keep.Items.FirstOrDefault(item => item.Sha256.Intersect(set.Items.SelectMany(forgotten => forgotten.Sha256)).Any());
        if (both is not null) throw new DoriException($"{folder}: {both.Files[0]} is to be kept and to be removed; take it out of one of the two");
        Tensor all = cat(keep.Items.Select(item => MitigateTrainingJob.Latents(model, item)).ToArray(), 0);
        return ([.. set.Items.Select(_ => all)], [.. set.Items.Select(item => new PreparedPictures(item.Id, folder, item.Caption, (int)all.shape[0], 0, []))]);
    }

    private static (Tensor[], PreparedPictures[]) Generated(MitigateTrainingJob job, MitigateSissSettings settings, DiffusionModel model, PictureSet set)
    {
        using TorchScriptCopyDetector detector = MitigateTrainingJob.LoadDetector(settings);
        using DiffusionModel generator = MitigateTrainingJob.LoadGenerator(settings, model);
        (Tensor Latents, PreparedPictures Prepared)[] made = [.. set.Items.SelectMany(item => job.Generate(generator, detector, item, [item.Caption], settings))];
        return ([.. made.Select(m => m.Latents)], [.. made.Select(m => m.Prepared)]);
    }
}
