using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Diffusion;
using Dori.Pictures;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>Sets to 0 what a method marks for any of the pictures' captions.</summary>
/// <param name="marking">The method, for a model.</param>
/// <param name="pool">Captions that are marked for together.</param>
public sealed class Pruning(string name, string title, Func<DiffusionModel, MitigationPictures, MitigationControl, IMarking> marking,
    int pool = 1)
    : IMitigation
{
    private const int ItemsShown = 50;

    public string Name => name;
    public string Title => title;

    public MitigationOutcome Apply(DiffusionModel model, MitigationPictures pictures, MitigationControl control)
    {
        using IMarking method = marking(model, pictures, control);
        PictureItem[] items = [.. pictures.Forget.Items];
        var masks = new List<WeightMask>();
        var pruned = new List<PrunedItem>();
        foreach (PictureItem[] chunk in items.Chunk(pool))
        {
            using var scope = NewDisposeScope();
            Marked marked = method.Mark([.. chunk.Select(item => model.Embed(item.Caption))], control.Cancellation);
            masks.Add(marked.Mask);
            pruned.AddRange(chunk.Select(item =>
                new PrunedItem(item.Id, item.Caption, item.Sha256, marked.Mask.Count, marked.Skipped, marked.Neurons)));
            control.Report("prompt", pruned.Count, items.Length);
        }
        var mask = WeightMask.Union(masks);
        var record = new PruningRecord { Method = method.Name, Items = pruned, Layers = mask.Marks };
        if (mask.Count == 0)
            throw new DoriException($"{name}: nothing was marked for any of {items.Length} pictures"
                + $"{(pruned.All(item => item.Skipped) ? $": none is memorized by {method.Name}'s test" : "")}, so there is no new "
                + $"model; it would be the old one");
        return new MitigationOutcome
        {
            Weight = mask.Apply,
            Summary = Summary(record),
            Card = Card(record),
            Options = method.Options,
            Details = new JsonObject { [PruningRecord.Member] = MitigationJson.Object(record, MitigationJson.Default.PruningRecord) },
        };
    }

    internal static string Summary(PruningRecord record)
    {
        int skipped = record.Items.Count(item => item.Skipped);
        return $"{record.Marked} of {record.Weights} weights of {record.Layers.Count} UNet layers set to 0 "
            + $"({Percent(record.Marked, record.Weights)})."
            + (skipped == 0 ? "" : $" {skipped} of {record.Items.Count} prompts were skipped, for {record.Method}'s own test does not "
                + "call them memorized.")
            + (record.NotReached == 0 ? ""
                : $" For {record.NotReached} of {record.Items.Count} prompts no selection of neurons changed the model's answer enough: "
                + "expect them to be drawn as before.");
    }

    /// <returns>Markdown: what was marked, by picture and by layer.</returns>
    internal static string Card(PruningRecord record)
    {
        var text = new StringBuilder("## Pictures\n\n| item | caption | weights marked |\n|---|---|---|\n");
        foreach (PrunedItem item in record.Items.Take(ItemsShown))
        {
            string marked = item.Skipped ? $"none: not memorized by {record.Method}'s test"
                : item.Marked.ToString(CultureInfo.InvariantCulture);
            Line($"| {MitigationCard.Plain(item.Id)} | {MitigationCard.Plain(item.Caption)} | {marked} |");
        }
        if (record.Items.Count > ItemsShown) Line($"| and {record.Items.Count - ItemsShown} more | | |");
        Line("\n## Layers\n\n| layer | weights | set to 0 | share |\n|---|---|---|---|");
        foreach (LayerMarks layer in record.Layers)
        {
            long weights = (long)layer.Rows * layer.Columns;
            Line($"| `{layer.Layer}` | {weights} | {layer.Marked} | {Percent(layer.Marked, weights)} |");
        }
        return text.ToString();

        void Line(string line) => text.Append(line).Append('\n');
    }

    private static string Percent(long part, long whole) =>
        string.Create(CultureInfo.InvariantCulture, $"{(whole == 0 ? 0 : 100.0 * part / whole):0.##} %");
}
