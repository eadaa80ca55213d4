using System.Globalization;
using System.Text;

namespace Dori.Mitigation;

/// <summary>The model card of a pruned model: what was done to it, and what that does not show.</summary>
public static class PruningCard
{
    private const int ItemsShown = 50;

    /// <returns>Markdown</returns>
    public static string Of(PruningRecord record)
    {
        string name = record.Method == "wanda" ? "Wanda" : "NeMo";
        var text = new StringBuilder();
        Line($"# {Plain(record.Model)}, pruned with {name}");
        Line();
        Line($"This is {Plain(record.Model)} (SHA-256 of its files `{record.ModelSha256}`) with {record.Marked} of {record.Weights} weights of {record.Layers.Count} UNet layers set to 0 ({Percent(record.Marked, record.Weights)}),");
        Line($"so that it no longer draws certain training pictures from their captions. Method: {Method(record)}.");
        Line();
        Line("**Silence by prompt is not absence.** Pruned models stay quiet when asked with the caption and may still hold the pictures: other inputs can bring them back.");
        Line("Audit this model by search before relying on it:");
        Line();
        Line("    dori audit THIS_FOLDER --images PICTURES -o RUN");
        Line();
        if (record.NotReached > 0)
        {
            Line($"For {record.NotReached} of {record.Items.Count} prompts no selection of neurons changed the model's answer enough: expect them to be drawn as before.");
            Line();
        }
        Line("Made by:");
        Line();
        Line($"    {record.Command.ReplaceLineEndings(" ")}");
        Line();
        Line($"dori {record.Version}; every figure is in `mitigation.json`.");
        Line();
        Line("## Pictures");
        Line();
        Line("| item | caption | weights marked |");
        Line("|---|---|---|");
        foreach (PrunedItem item in record.Items.Take(ItemsShown))
            Line($"| {Plain(item.Id)} | {Plain(item.Caption)} | {(item.Skipped ? "none: not memorized by NeMo's test" : Number(item.Marked))} |");
        if (record.Items.Count > ItemsShown) Line($"| and {record.Items.Count - ItemsShown} more | | |");
        Line();
        Line("## Layers");
        Line();
        Line("| layer | weights | set to 0 | share |");
        Line("|---|---|---|---|");
        foreach (LayerMarks layer in record.Layers)
        {
            long weights = (long)layer.Rows * layer.Columns;
            Line($"| `{layer.Layer}` | {weights} | {layer.Marked} | {Percent(layer.Marked, weights)} |");
        }
        return text.ToString();

        void Line(string line = "") => text.Append(line).Append('\n');
    }

    private static string Method(PruningRecord record) => record switch
    {
        { Wanda: { } w } => string.Create(CultureInfo.InvariantCulture, $"Wanda (Chavhan et al. 2024), sparsity {w.Sparsity * 100:0.###} %, union over {w.Steps} steps and over all pictures{(w.Pool > 1 ? $", norms pooled over {w.Pool} pictures" : "")}"),
        { Nemo: { } n } => string.Create(CultureInfo.InvariantCulture, $"NeMo (Hintersdorf et al. 2024), threshold {n.Threshold:0.000}{(n.ThresholdMeasured ? " (measured)" : "")}, union over all pictures"),
        _ => record.Method,
    };

    private static string Percent(long part, long whole) => string.Create(CultureInfo.InvariantCulture, $"{(whole == 0 ? 0 : 100.0 * part / whole):0.##} %");
    private static string Number(long n) => n.ToString(CultureInfo.InvariantCulture);

    /// <summary>A caption is a stranger's text: nothing in it may become markup.</summary>
    private static string Plain(string text)
    {
        var plain = new StringBuilder();
        foreach (char c in text.ReplaceLineEndings(" "))
        {
            if ("\\`*_{}[]()<>#+-.!|~&$".Contains(c)) plain.Append('\\');
            plain.Append(char.IsControl(c) ? ' ' : c);
        }
        return plain.ToString();
    }
}
