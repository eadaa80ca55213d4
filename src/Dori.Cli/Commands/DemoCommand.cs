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
/// The story in minutes, on the built-in model: what its captions alone bring back of 6 pictures; the same of a copy pruned by Wanda, which
/// is silent; and that a search still finds the pictures in it. 19 controls, the fewest that allow a judgement, beside both.
/// </summary>
internal sealed class DemoCommand(Shell shell) : Command<DemoSettings>
{
    private const int Verbatim = 6, Controls = Verdicts.ControlsNeeded;
    private const string Original = "original", Pruned = "pruned";

    protected override int Execute(CommandContext context, DemoSettings settings, CancellationToken cancellation)
    {
        if (settings.Loras.Length > 0)
            throw new DoriException("demo: --lora does not apply; the story is the built-in model's (dori audit takes adapters)");
        string model = Shell.BuiltInModel, pictures = Path.Combine(model, "pictures"), pruned = Path.Combine(settings.Run, "pruned-model");
        PictureSet set = PictureSet.Load(pictures).Where(item =>
            item.Role == PictureRole.Control ? Rank(item) < Controls : item.Kind == PictureKind.Verbatim && Rank(item) < Verbatim);
        // The original answers to its captions: no search of it would add anything.
        Say(settings, "the model itself, asked by captions");
        RunFolder before = Audit(settings, model, set, settings.Run, [AuditStart.Prompt]);
        if (!Directory.Exists(pruned)) Prune(settings, model, pruned, set);
        Say(settings, "the pruned model, asked by captions and then searched");
        RunFolder after = Audit(settings, pruned, set, Path.Combine(settings.Run, Pruned), [AuditStart.Prompt, AuditStart.Caption]);

        ComparedRun[] runs = [new(Original, before), new(Pruned, after)];
        Comparison comparison = Comparison.Run(runs, settings.Seed);
        Report.Write(settings.Run, comparison, runs, command: shell.CommandLine);
        ComparisonOutcome.Say(shell, settings, comparison, settings.Run);
        if (!settings.Quiet && !settings.Json)
        {
            shell.Console.WriteLine($"Reports: {Path.Combine(settings.Run, "report.html")} (the model), "
                + $"{Path.Combine(settings.Run, Pruned, "report.html")} (pruned), {Path.Combine(settings.Run, "compare.html")} (both)");
            if (Moral(comparison) is { } moral) shell.Console.WriteLine(moral);
        }
        return DoriApp.Done;
    }

    /// <summary>What the two together mean; null where they do not tell the story.</summary>
    private static string? Moral(Comparison comparison)
    {
        ComparedModel original = comparison.Models[0], pruned = comparison.Models[1];
        return pruned.ByPrompt() < original.ByPrompt() && pruned.Verdicts.GetValueOrDefault(Verdict.Retained) >= original.ByPrompt()
            ? "Pruning silenced it and erased nothing." : null;
    }

    private void Say(DemoSettings settings, string text)
    {
        if (!settings.Quiet) shell.Say(text);
    }

    private RunFolder Audit(DemoSettings settings, string model, PictureSet set, string folder, AuditStart[] starts)
    {
        RunFolder run = settings.Audit(shell, Checkpoint.Open(model), set, options => options with
        {
            Starts = settings.Starts is null || starts.Length == 1 ? starts : options.Starts,
            Generations = settings.Generations ?? 4,
            CurveGenerations = settings.CurveGenerations ?? 1,
        }, protocol: "quick").Run(folder);
        Report.Write(run);
        return run;
    }

    private void Prune(DemoSettings settings, string path, string target, PictureSet set)
    {
        Say(settings, "pruning by Wanda, so that the captions no longer bring the pictures");
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
