using System.ComponentModel;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Reporting;
using Spectre.Console.Cli;
using Spectre.Console;
using TorchSharp;

namespace Dori.Cli.Commands;

internal sealed class DemoSettings : StartsSettings
{
    [CommandOption("-o|--output <RUN>"), Description("The folder for everything"), DefaultValue("demo")]
    public string Run { get; init; } = "demo";
}

/// <summary>
/// The story in minutes, on the built-in model: which of 6 pictures it still holds; the same model pruned by Wanda, silent by prompt; and
/// that a search still finds the pictures in it. 19 controls, the fewest that allow a judgement, beside both.
/// </summary>
internal sealed class DemoCommand(Shell shell) : Command<DemoSettings>
{
    private const int Verbatim = 6, Controls = Verdicts.ControlsNeeded;

    protected override int Execute(CommandContext context, DemoSettings settings, CancellationToken cancellation)
    {
        if (settings.Loras.Length > 0)
            throw new DoriException("demo: --lora does not apply; the story is the built-in model's (dori audit takes adapters)");
        string model = Shell.BuiltInModel, pictures = Path.Combine(model, "pictures"), pruned = Path.Combine(settings.Run, "pruned-model");
        PictureSet set = PictureSet.Load(pictures).Where(item =>
            item.Role == PictureRole.Control ? Rank(item) < Controls : item.Kind == PictureKind.Verbatim && Rank(item) < Verbatim);
        RunFolder before = Audit(settings, model, set, settings.Run, curve: [0, 10, 25]);
        if (!Directory.Exists(pruned)) Prune(settings, model, pruned, set);
        RunFolder after = Audit(settings, pruned, set, Path.Combine(settings.Run, "pruned"), curve: []);

        ComparedRun[] runs = [new("original", before), new("pruned", after)];
        Comparison comparison = Comparison.Run(runs, settings.Seed);
        Report.Write(settings.Run, comparison, runs, command: shell.CommandLine);
        ComparisonOutcome.Say(shell, settings, comparison, settings.Run);
        if (!settings.Quiet && !settings.Json)
            shell.Console.WriteLine($"Reports: {Path.Combine(settings.Run, "report.html")} (the model), "
                + $"{Path.Combine(settings.Run, "pruned", "report.html")} (pruned), {Path.Combine(settings.Run, "compare.html")} (both)");
        return DoriApp.Done;
    }

    private RunFolder Audit(DemoSettings settings, string model, PictureSet set, string folder, int[] curve)
    {
        RunFolder run = settings.Audit(shell, Checkpoint.Open(model), set, options => options with
        {
            Starts = settings.Starts is null ? [AuditStart.Prompt, AuditStart.Caption] : options.Starts,
            Generations = settings.Generations ?? 4,
            CurveSteps = settings.Curve is null ? curve : options.CurveSteps,
            CurveGenerations = settings.CurveGenerations ?? 1,
        }).Run(folder);
        Report.Write(run);
        return run;
    }

    private void Prune(DemoSettings settings, string path, string target, PictureSet set)
    {
        if (!settings.Quiet) shell.Error.WriteLine("dori: pruning by Wanda, so that the captions no longer bring the pictures");
        Checkpoint folder = Checkpoint.Open(path);
        PictureSet forget = set.Where(item => item.Role != PictureRole.Control);
        torch.set_num_threads(settings.Threads);
        using var scope = torch.NewDisposeScope();
        using DiffusionModel model = DiffusionModel.Load(folder, settings.Device, settings.Dtype);
        IMitigation wanda = Mitigations.Wanda();
        MitigationOutcome outcome = wanda.Apply(model, new MitigationPictures(set, forget),
            new MitigationControl { Seed = settings.Seed, Cancellation = shell.Interrupted });
        MitigateJob.Record(shell, settings, wanda, folder, folder.Sha256(), Path.Combine(path, "pictures"), forget, settings.Seed,
            outcome).Save(folder, target, outcome);
    }

    /// <summary>The built-in set numbers its items: v00, t00, c00.</summary>
    private static int Rank(PictureItem item) => int.Parse(item.Id[1..]);
}
