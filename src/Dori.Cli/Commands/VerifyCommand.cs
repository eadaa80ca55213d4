using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Pictures;
using Dori.Signing;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class VerifySettings : ModelSettings
{
    [CommandArgument(0, "<RUN>"), Description("A run folder that dori sign has signed")]
    public string Run { get; init; } = "";

    [CommandOption("--key <FILE>"),
        Description("The signer's public key in PEM (default: the one beside the record, which anybody could have put there)")]
    public string? Key { get; init; }

    [CommandOption("--units <N>"), Description("Computes N units again, drawn at random, and compares"), DefaultValue(0)]
    public int Units { get; init; }

    [CommandOption("--model <MODEL>"), Description("With --units: the model (default: where the run found it, with its adapters)")]
    public string? Model { get; init; }

    [CommandOption("--images <DIR>"), Description("With --units: the pictures (default: where the run found them)")]
    public string? Images { get; init; }

    [CommandOption("--controls <DIR>"), Description("With --units: the controls (default: those of --images)")]
    public string? Controls { get; init; }

    [CommandOption("--copy-detector <FILE>"),
        Description("With --units: TorchScript, which is code and will be run (default: the model's)")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"), Description("With --units: how pictures are brought to that copy detector")]
    public string? Preset { get; init; }
}

internal sealed class VerifyCommand(Shell shell) : Command<VerifySettings>
{
    protected override int Execute(CommandContext context, VerifySettings settings, CancellationToken cancellation)
    {
        if (settings.Units < 0) throw new DoriException($"--units {settings.Units}: 0 or more is wanted");
        Ed25519Key? key = settings.Key is { } file ? Ed25519Key.Read(file) : null;
        Statement statement = SignedRun.Verify(settings.Run, key);
        if (key is null)
            shell.Warn(["the key beside the record was used, which anybody could have put there: name the signer's with --key FILE"]);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(statement, SigningJson.Default.Statement));
        else if (!settings.Quiet) shell.Console.WriteLine($"The signature and every file's hash hold: {statement.Predicate.InWords}");
        if (settings.Units > 0) ComputeAgain(settings);
        return DoriApp.Done;
    }

    private void ComputeAgain(VerifySettings settings)
    {
        RunFolder run = RunFolder.Open(settings.Run);
        Manifest manifest = run.Manifest;
        Checkpoint checkpoint = settings.Model is { } model ? settings.OpenModel(model)
            : Checkpoint.Open(manifest.Model.Path, new CheckpointOptions
            {
                Adapters = [.. (manifest.Model.Adapters ?? []).Select(adapter => (adapter.Path, adapter.Scale))],
                Embeddings = settings.Embeddings, Config = settings.Config, PredictionType = settings.PredictionType,
            });
        var pictures = PictureSet.Load(settings.Images ?? manifest.Pictures.Path);
        if (settings.Controls is { } controls) pictures = pictures.WithControls(PictureSet.Load(controls));
        var again = new Recomputation(run, checkpoint, pictures, settings.Machine, shell.Watch(settings))
        {
            CopyDetector = settings.CopyDetector,
            Preset = settings.Preset,
        };
        IReadOnlyList<RecomputedUnit> units = again.Run(settings.Units);
        string[] wrong = [.. units.Where(unit => !unit.Holds).Select(unit => string.Create(CultureInfo.InvariantCulture,
            $"{unit.Id} (similarities differ by up to {unit.Difference:0.###})"))];
        if (wrong.Length > 0)
            throw new DoriException($"{settings.Run}: computed again, {wrong.Length} of {units.Count} units come out otherwise: "
                + string.Join(", ", wrong));
        if (!settings.Quiet && !settings.Json)
            shell.Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"Computed again: {units.Count} units, "
                + $"{units.Count(unit => unit.SameBytes)} to the same bytes, similarities within "
                    + $"{units.Max(unit => unit.Difference):0.####}"));
    }
}
