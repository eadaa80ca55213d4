using System.ComponentModel;
using System.Globalization;
using System.Text.Json;
using Dori.Checkpoints;
using Spectre.Console;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class DiffSettings : CommandSettings
{
    [CommandArgument(0, "<A>"), Description("A diffusers folder")]
    public string A { get; init; } = "";

    [CommandArgument(1, "<B>"), Description("Another, such as A after mitigation")]
    public string B { get; init; } = "";

    [CommandOption("--lora <FILE[:SCALE]>"),
        Description("A LoRA to merge into B, as a file or a folder, at a scale (default: 1); repeatable")]
    public string[] Loras { get; init; } = [];

    [CommandOption("--json"), Description("The result as JSON on standard output, every tensor that differs")]
    public bool Json { get; init; }
}

/// <summary>What a mitigation changed: tensors, weights and by how much, and configs.</summary>
internal sealed class DiffCommand(Shell shell) : Command<DiffSettings>
{
    private const int Shown = 20;

    protected override int Execute(CommandContext context, DiffSettings settings, CancellationToken cancellation)
    {
        ModelDifference difference = ModelDiff.Between(Checkpoint.Open(settings.A),
            Checkpoint.Open(settings.B, new CheckpointOptions { Adapters = [.. settings.Loras.Select(ModelSettings.Parse)] }),
            shell.Interrupted);
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(difference, DiffJson.Default.ModelDifference));
        else Print(difference);
        return DoriApp.Done;
    }

    private void Print(ModelDifference difference)
    {
        if (difference.Same)
        {
            shell.Console.WriteLine("The two models are the same: every weight, config and other file.");
            return;
        }
        var components = new PlainTable("part", "changed tensors", "changed weights", "largest change", "RMS change", "|b - a| / |a|");
        foreach (ComponentDifference c in difference.Components)
            components.AddRow(c.Name, $"{c.ChangedTensors} of {c.Tensors}", $"{c.Changed:N0} of {c.Weights:N0}", Number(c.MaxAbsolute),
                Number(c.Rms), Number(c.Relative));
        shell.Console.Write(components);
        if (difference.Tensors.Count > 0)
        {
            // Lines, since a checkpoint's key is longer than a table's column where output is piped.
            foreach (TensorDifference t in difference.Tensors.Take(Shown))
                shell.Console.WriteLine($"{t.Component}: {t.Name} ({string.Join(" x ", t.Shape)}): "
                    + (t.Change == ModelDiff.Changed
                        ? $"{t.Changed:N0} of {t.Weights:N0} weights, largest {Number(t.MaxAbsolute)}, RMS {Number(t.Rms)}, relative "
                        + $"{Number(t.Relative)}" : t.Change));
            if (difference.Tensors.Count > Shown)
                shell.Console.WriteLine($"and {difference.Tensors.Count - Shown} more tensors (--json names all)");
        }
        foreach (ConfigDifference c in difference.Configs)
            shell.Console.WriteLine($"{c.File}{(c.Key.Length > 0 ? $": {c.Key}" : "")}: {c.A ?? "missing"} in A, {c.B ?? "missing"} in B");
    }

    private static string Number(double? value) =>
        value is { } number ? number.ToString("0.###e+0", CultureInfo.InvariantCulture) is var text && number == 0 ? "0" : text : "-";
}
