using System.Globalization;
using System.Text.Json;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Mitigation;
using Dori.Pictures;
using Dori.Quality;
using Dori.Reporting;
using Spectre.Console;
using TorchSharp;

namespace Dori.Cli;

/// <summary>From several models' finished audits to one comparison, its report and tables: what compare and demo share.</summary>
/// <param name="folder">The comparison's own.</param>
internal sealed class CompareJob(Shell shell, CommonSettings settings, string folder)
{
    private readonly List<AuditedModel> _models = [];
    private readonly Dictionary<string, RunFolder> _runs = [];

    /// <param name="name">Unique; the first model is what the others are compared with.</param>
    /// <param name="audit">Its finished run's folder.</param>
    public void Add(string name, Summary summary, string audit, QualitySummary? quality = null, IReadOnlyDictionary<string, QualitySamples>? samples = null)
    {
        RunFolder run = RunFolder.Open(audit);
        IReadOnlyList<UnitRecord> units = run.ReadUnits().Records;
        _models.Add(quality is null ? new AuditedModel(name, summary, units) : new AuditedModel(name, summary, units, quality, samples!));
        _runs.Add(name, run);
    }

    /// <summary>Writes <c>compare.html</c>, <c>compare.md</c> and <c>compare.json</c>, and says what is in them.</summary>
    /// <param name="ordinaryPath">Of the pictures that quality was taken on; null where it was not.</param>
    public void Finish(long seed, string? ordinaryPath = null)
    {
        Comparison comparison = Comparison.Of(_models, RandomSource.For("compare", seed.ToString(CultureInfo.InvariantCulture)).Next);
        using OrdinaryPictures? ordinary = ordinaryPath is { } path ? OrdinaryPictures.Load(path) : null;
        CompareReport.Write(Path.Combine(folder, "compare.html"), comparison, Small, index => ordinary?.Captions[index] ?? "",
            name => _runs[name].ReadPruning(), shell.CommandLine, Shell.Version);
        CompareTable.Write(Path.Combine(folder, "compare.md"), comparison);
        string json = JsonSerializer.Serialize(comparison, CompareJson.Default.Comparison);
        AtomicFile.WriteText(Path.Combine(folder, "compare.json"), json + "\n"); // last: it says that the rest is there
        if (settings.Json) shell.Output.WriteLine(json);
        else if (!settings.Quiet) Print(comparison);
    }

    private byte[]? Small(string model, int index)
    {
        const int side = 192;
        string file = Path.Combine(folder, model, "quality", "pictures", $"{index:000000}-0.png");
        if (!File.Exists(file)) return null;
        using var scope = torch.NewDisposeScope();
        torch.Tensor picture = Picture.Load(file);
        return picture.shape[1] <= side ? InputFile.ReadBytes(file, InputKind.Picture) : Picture.EncodeJpeg(Picture.ResizeSmallEdge(picture, side));
    }

    private void Print(Comparison comparison)
    {
        string N(double value) => value.ToString("0.00", CultureInfo.InvariantCulture);
        var table = new PlainTable("pictures", "start", "model", "copies", "rate, 95 %", "best similarity", "p");
        foreach ((string group, string start) in comparison.Models[0].Rows.Select(row => (row.Group, row.Start)))
            foreach (ComparedModel model in comparison.Models)
                if (model.Rows.FirstOrDefault(row => row.Group == group && row.Start == start) is { } row)
                    table.AddRow(group, start, model.Name, $"{row.MemorizationRate.Count} of {row.Images}", $"{N(row.MemorizationRate.Value)} ({N(row.MemorizationRate.Low)} to {N(row.MemorizationRate.High)})",
                        $"{N(row.Similarity.Median)} ± {N(row.Similarity.Mad)}", comparison.Tests.FirstOrDefault(t => t.Model == model.Name && t.Group == group && t.Start == start) is { } test ? test.PValue.ToString("0.000", CultureInfo.InvariantCulture) : "");
        shell.Console.Write(table);
        foreach (string warning in comparison.Warnings) shell.Console.WriteLine($"Note: {warning}");
        shell.Console.WriteLine($"Comparison: {Path.Combine(folder, "compare.html")}; table: {Path.Combine(folder, "compare.md")}");
    }
}
