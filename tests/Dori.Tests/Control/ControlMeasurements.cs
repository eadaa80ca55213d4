using Dori.Pictures;
using System.Globalization;
using System.Text.RegularExpressions;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Tests.Support;
using static TorchSharp.torch;

namespace Dori.Tests.Control;

/// <summary>
/// The table that the limits were chosen from (docs/method.md, section 11), to be taken again: every figure of the built-in model, of the
/// folders in DORI_CONTROL_MODELS (by commas) and of the broken models whose names match DORI_CONTROL_KINDS, into the file
/// DORI_CONTROL_TABLE, tab-separated. For models that pass, with DORI_CONTROL_SEARCH, also what a search gives back of four pictures.
/// DORI_CONTROL_PICTURES names another folder of pictures than the built-in one, DORI_CONTROL_ROLE the only role that is looked at,
/// and what ends in .safetensors among the models is an adapter of the built-in one.
/// </summary>
public sealed class ControlMeasurements : IDisposable
{
    private static readonly Lazy<TorchScriptCopyDetector> s_detector = new(() => TorchScriptCopyDetector.Load(Golden.EmojiModel));
    private static readonly PictureSet s_set = PictureSet.Load(Variable("PICTURES", Emoji.Pictures))
        .Where(item => item.Role.ToString().StartsWith(Variable("ROLE", ""), StringComparison.OrdinalIgnoreCase));
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-control-").FullName;
    private static readonly AuditOptions s_options = new()
    {
        Starts = [AuditStart.Prompt, AuditStart.Caption], CurveSteps = [], Generations = 4, CurveGenerations = 1, Guidance = 3,
            Sampler = "ddim",
            SamplerSteps = 25,
        Mirror = false,
    };
    private readonly string _table = Variable("TABLE", "control.tsv");

    [Fact(Explicit = true), Trait("Category", "Slow")]
    public void Table()
    {
        set_num_threads(1);
        File.WriteAllText(_table, "");
        foreach (string path in Variable("MODELS", "").Split(',', StringSplitOptions.RemoveEmptyEntries).Append(Golden.EmojiModel))
            Measure(Path.GetFileName(path), path);
        foreach (string kind in BrokenModel.Names.Where(kind => Regex.IsMatch(kind, Variable("KINDS", "."))))
            Measure(kind, BrokenModel.Make(_folder, kind));
    }

    private void Measure(string name, string path)
    {
        using var scope = NewDisposeScope();
        List<string> row = [name];
        try
        {
            using DiffusionModel model = Load(path);
            PositiveControl control = new ControlRunner(model, s_detector.Value, s_options).Run(s_set, complete: true);
            if (new FileInfo(_table).Length == 0)
                File.WriteAllText(_table,
                    string.Join('\t', ["model", "control", "seen", .. control.Figures.Select(f => f.Name), "rows", "back"]) + "\n");
            row.AddRange([control.Holds ? "passes" : "fails", $"{control.Seen}"]);
            row.AddRange(control.Figures.Select(figure => N(figure.Value) + (figure.Passed ? "" : "!")));
            row.Add($"{control.UNetRows}");
            if (int.TryParse(Variable("SEARCH", ""), out int searched) && control.Holds)
                row.Add(string.Join(' ',
                    s_set.Items.Where(item => item.Kind == PictureKind.Verbatim).Take(searched).Select(item => N(Best(model, item)))));
        }
        catch (DoriException e)
        {
            row.Add($"refused: {e.Message}");
        }
        File.AppendAllText(_table, string.Join('\t', row) + "\n");
    }

    private static DiffusionModel Load(string path) => DiffusionModel.Load(path.EndsWith(".safetensors", StringComparison.Ordinal)
        ? Checkpoint.Open(Golden.EmojiModel, new CheckpointOptions { Adapters = [(path, 1)] }) : Checkpoint.Open(path));

    private static double Best(DiffusionModel model, PictureItem item) => new[] { "prompt", "caption" }.Max(start =>
    {
        using UnitResult result = new UnitRunner(model, s_detector.Value, s_options).Run(new AuditUnit(item, start.Start(), 0, null));
        return result.Record.Snapshots[^1].Best;
    });

    private static string Variable(string name, string otherwise) =>
        Environment.GetEnvironmentVariable($"DORI_CONTROL_{name}") ?? otherwise;

    private static string N(double? value) => value?.ToString("0.###", CultureInfo.InvariantCulture) ?? "-";

    public void Dispose() => Directory.Delete(_folder, recursive: true);
}
