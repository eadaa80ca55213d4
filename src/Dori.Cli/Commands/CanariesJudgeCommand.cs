using System.ComponentModel;
using System.Globalization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Measures;
using Dori.Reporting;
using Spectre.Console;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class CanariesJudgeSettings : ModelSettings
{
    [CommandArgument(0, "<MODEL>"), Description("The trained model: a diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--sealed <FILE>"), Description("What `canaries make` kept: sealed.json with its pictures beside it")]
    public string Sealed { get; init; } = "";

    [CommandOption("--hash <SHA256>"), Description("The hash that was printed when it was sealed: another file is refused")]
    public string? Hash { get; init; }

    [CommandOption("-o|--output <RUN>"), Description("The run folder; one that holds the same run is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--copy-detector <PATH>"),
        Description("TorchScript file or folder; it is code and will be run (default: the model's own copy_detector folder)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"), Description("How pictures are brought to that file: nemo, wen, concept-ablation")]
    public string? Preset { get; init; }
}

/// <summary>Both of every pair under the protocol that was fixed before the training.</summary>
internal sealed class CanariesJudgeCommand(Shell shell) : Command<CanariesJudgeSettings>
{
    protected override int Execute(CommandContext context, CanariesJudgeSettings settings, CancellationToken cancellation)
    {
        if (settings.Sealed.Length == 0) throw new DoriException("canaries judge: --sealed FILE is missing: what canaries make kept");
        if (settings.Run.Length == 0) throw new DoriException("canaries judge: -o RUN is missing: the folder for the results");
        SealedCanaries canaries = SealedCanaries.Read(settings.Sealed, settings.Hash);
        CanaryProtocol protocol = canaries.Protocol;
        RunFolder run = new Audit.Audit(settings.OpenModel(settings.Model), canaries.Set(Path.GetDirectoryName(Path.GetFullPath(
            settings.Sealed))!))
        {
            Protocol = protocol.Protocol,
            Options = own => own with
            {
                Starts = protocol.Starts, Steps = protocol.SearchSteps, Generations = protocol.Generations, Seed = protocol.Seed,
                CurveSteps = [.. own.CurveSteps.Where(step => step < protocol.SearchSteps)],
                CurveGenerations = Math.Min(own.CurveGenerations, protocol.Generations),
            },
            Machine = settings.Machine, CopyDetector = settings.CopyDetector, Preset = settings.Preset, Command = shell.CommandLine,
            Watch = shell.Watch(settings),
        }.Run(settings.Run);
        CanariesSummary judged = CanariesSummary.Of(canaries, InputFile.Sha256(settings.Sealed, InputKind.Record), Report.Write(run),
            run.ReadItems());
        AtomicFile.WriteText(Path.Combine(settings.Run, "canaries.json"), judged.ToJson() + "\n");
        if (settings.Json) shell.Output.WriteLine(judged.ToJson());
        else if (!settings.Quiet) Print(judged, settings.Run);
        return DoriApp.Done;
    }

    private void Print(CanariesSummary judged, string folder)
    {
        var table = new PlainTable("seen", "pictures", judged.Judged ? "retained" : "given back", "rate, 95 %, exact");
        foreach (CanaryDose dose in judged.Doses)
            table.AddRow($"{dose.Dose} times", $"{dose.Pictures}", $"{dose.Retained.Count}", Show.Plain(dose.Retained));
        shell.Console.Write(table);
        shell.Console.WriteLine(judged.InWords);
        foreach (CanaryTest test in judged.Tests)
            shell.Console.WriteLine($"By {test.Asked}: the planted of a pair comes nearer in {test.Wins} of {test.Pairs} pairs "
                + $"(exact sign test, one-sided p {test.PValue.ToString("0.######", CultureInfo.InvariantCulture)}; {test.Ties} ties split "
                + "by sealed coins)");
        if (judged.HalfDose is { } half)
            shell.Console.WriteLine(half.Value is not { } value ? "Retention does not rise with the number of showings: no dose of half."
                : string.Create(CultureInfo.InvariantCulture, $"Half are retained at {value:0} showings (95 % interval ")
                    + $"{End(half.Low, "open")} to {End(half.High, "open")})");
        string Number(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
        shell.Console.WriteLine($"{judged.RightGuesses} of {judged.Guesses} guesses are right: epsilon is at least "
            + $"{Number(judged.Epsilon)} (95 %) for replacing a picture with all its showings, {Number(judged.Epsilon / 2)} for adding or "
            + "removing it");
        shell.Console.WriteLine($"Figures: {Path.Combine(folder, "canaries.json")}; report: {Path.Combine(folder, "report.html")}");
    }

    private static string End(double? value, string open) => value?.ToString("0", CultureInfo.InvariantCulture) ?? open;
}
