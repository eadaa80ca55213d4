using System.ComponentModel;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console.Cli;
using static TorchSharp.torch;

namespace Dori.Cli.Commands;

internal sealed class MitigateNemoSettings : MitigateSettings
{
    [CommandOption("--controls <DIR>"), Description("An imagefolder whose captions are not memorized (default: those of --images with role control)")]
    public string? Controls { get; init; }

    [CommandOption("--threshold <S>"), Description("Similarity above which noise differences resemble each other (default: 0.428 for latents of 64 x 64, else measured from the controls)")]
    public double? Threshold { get; init; }

    [CommandOption("--generations|-n <N>"), Description("Seeds whose noise differences are compared (default: 10)"), DefaultValue(10)]
    public int Latents { get; init; } = 10;
}

internal sealed class MitigateNemoCommand(Shell shell) : Command<MitigateNemoSettings>
{
    /// <summary>Below this a neuron's mean and deviation say little, though the method works.</summary>
    private const int FewCaptions = 100;

    protected override int Execute(CommandContext context, MitigateNemoSettings settings, CancellationToken cancellation) =>
        PruningJob.Run(shell, settings, "nemo", (checkpoint, model, set, items) =>
    {
        string[] captions = [.. (settings.Controls is { } folder ? PictureSet.Load(folder) : set.Where(item => item.Role == "control")).Items.Select(item => item.Caption).Where(c => c.Length > 0).Distinct()];
        if (captions.Length is > 1 and < FewCaptions) shell.Error.WriteLine($"dori: warning: {captions.Length} held-out captions; the neurons' statistics rest on them, and {FewCaptions} or more are better (--controls)");
        using var nemo = new Nemo(model, [.. captions.Select(caption => model.Embed(caption))], new NemoOptions { Latents = settings.Latents, Threshold = settings.Threshold, Seed = settings.Seed },
            PruningJob.Progress(shell, settings, "held-out caption", captions.Length), shell.Interrupted);
        Action<int> progress = PruningJob.Progress(shell, settings, "prompt", items.Length);
        var masks = new List<WeightMask>();
        var pruned = new List<PrunedItem>();
        int layers = Nemo.Layers(model.UNet).Count;
        foreach (PictureItem item in items)
        {
            using Conditioning y = model.Embed(item.Caption);
            NemoFinding finding = nemo.Find(y, shell.Interrupted);
            masks.Add(Nemo.Mask(model.UNet, finding.Selected?.Refined ?? NemoNeurons.None(layers)));
            pruned.Add(new PrunedItem(item.Id, item.Caption, item.Sha256, masks[^1].Count, finding.Selected is null, PrunedNeurons.Of(finding)));
            progress(masks.Count);
        }
        WeightMask mask = WeightMask.Union(masks);
        var used = new NemoSettings(settings.Latents, nemo.Threshold, nemo.ThresholdMeasured, captions.Length, settings.Seed);
        return (mask, PruningJob.Record(shell, checkpoint, "nemo", set, items, mask, pruned) with { Nemo = used });
    });
}
