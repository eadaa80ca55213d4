using System.ComponentModel;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Pictures;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class MitigateNemoSettings : MitigateSettings
{
    [CommandOption("--controls <DIR>"),
        Description("An imagefolder whose captions are not memorized (default: those of --images with role control)")]
    public string? Controls { get; init; }

    [CommandOption("--threshold <S>"),
        Description("Similarity above which noise differences resemble each other (default: 0.428 for latents of 64 x 64, else "
            + "measured from the controls)")]
    public double? Threshold { get; init; }

    [CommandOption("--generations|-n <N>"), Description("Seeds whose noise differences are compared (default: 10)"), DefaultValue(10)]
    public int Latents { get; init; } = 10;

    /// <summary>Below this a neuron's mean and deviation say little, though the method works.</summary>
    private const int FewCaptions = 100;

    public override IMitigation Mitigation() => Mitigations.Nemo((model, pictures, control) =>
    {
        IReadOnlyList<string> captions = Controls is { } folder
            ? [.. PictureSet.Load(folder, Reading).Items.Select(item => item.Caption).Where(caption => caption.Length > 0).Distinct()]
            : pictures.ControlCaptions;
        if (captions.Count is > 1 and < FewCaptions)
            control.Warn?.Invoke($"{captions.Count} held-out captions; the neurons' statistics rest on them, and {FewCaptions} or "
                + $"more are better (--controls)");
        return new NemoMarking(model, captions, new NemoOptions { Latents = Latents, Threshold = Threshold, Seed = Seed },
            done => control.OnProgress?.Invoke(new MitigationProgress("held-out caption", done, captions.Count,
                new Dictionary<string, double>())));
    });
}
