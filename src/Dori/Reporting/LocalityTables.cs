using System.Text;
using Dori.Checkpoints;
using Dori.Locality;
using Dori.Measures;
using TorchSharp;

namespace Dori.Reporting;

/// <summary>Every matrix and vector of a locality study as CSV or safetensors in its run folder.</summary>
internal static class LocalityTables
{
    /// <exception cref="DoriException">A file cannot be written.</exception>
    public static void Write(string folder, LocalityOutcome outcome)
    {
        LocalitySummary s = outcome.Summary;
        void Table(string name, Action<StringBuilder> fill)
        {
            var text = new StringBuilder();
            fill(text);
            AtomicFile.WriteText(Path.Combine(folder, name), text.ToString());
        }
        Table("pictures.csv", t => Pictures(t, s));
        Table("input.csv", t => Input(t, s.Input));
        Table("maps.csv", t => Maps(t, outcome.Maps));
        Table("activation.csv", t => Activation(t, s.Activation));
        if (s.Weight is { } weight)
        {
            Table("agreement.csv", t => Agreement(t, weight));
            Table("transfer.csv", t => Transfer(t, weight));
            Table("unions.csv", t => Unions(t, weight));
        }
        using var scope = torch.NewDisposeScope();
        // The order of a map's points is that of maps.csv.
        SafetensorsWriter.Write(Path.Combine(folder, "distances.safetensors"),
            [.. outcome.Maps.Select(map => ($"input.{map.Item ?? "all"}", map.Distances.ToTensor())),
            .. s.Activation.Layers.Zip(outcome.Activations, (layer, d) => ($"activation.{layer.Method}.{layer.Layer}", d.ToTensor()))]);
    }

    private static void Pictures(StringBuilder t, LocalitySummary s)
    {
        CsvTables.Row(t, "item", "file", "caption", "kind", "searches", "triggers", "similarity_median", "similarity_mad",
            "start_similarity_median", "start_similarity_mad", "other", "threshold", "copy_detector");
        foreach (LocalityPicture p in s.Pictures)
            CsvTables.Row(t, CsvTables.Text(p.Item), CsvTables.Text(p.File), CsvTables.Text(p.Caption), CsvTables.Text(p.Kind),
                N(p.Searches), N(p.Triggers), N(p.Similarity.Median), N(p.Similarity.Mad), N(p.StartSimilarity.Median),
                N(p.StartSimilarity.Mad), p.Other ? "true" : "false", N(s.Threshold), CsvTables.Text(s.CopyDetector));
    }

    private static void Input(StringBuilder t, InputSpace input)
    {
        CsvTables.Row(t,
            ["item", "triggers", "start_spacing", "trigger_spacing", "caption_spacing", .. Names("starts"), .. Names("captions"),
            .. Names("others"), "displacement_median", "displacement_mad", "silhouette", "start_silhouette",
            "neighbours", "neighbours_expected", "neighbours_p", "start_neighbours", "start_neighbours_expected", "start_neighbours_p"]);
        foreach (InputPicture p in input.Pictures)
            CsvTables.Row(t,
                [CsvTables.Text(p.Item), N(p.Triggers), N(p.StartSpacing), N(p.EndSpacing), N(p.CaptionSpacing), .. Of(p.AgainstStarts),
                .. Of(p.AgainstCaptions), .. Of(null), N(p.Displacement.Median), N(p.Displacement.Mad),
                N(p.Silhouette), N(p.StartSilhouette), N(p.Neighbours.Share), N(p.Neighbours.Expected), N(p.Neighbours.PValue),
                    N(p.StartNeighbours.Share), N(p.StartNeighbours.Expected), N(p.StartNeighbours.PValue)]);
        if (input.AgainstStarts is null) return;
        CsvTables.Row(t,
            ["", N(input.Pictures.Sum(p => p.Triggers)), N(input.Pictures.Average(p => p.StartSpacing)),
            N(input.Pictures.Average(p => p.EndSpacing)), N(input.Pictures[0].CaptionSpacing), .. Of(input.AgainstStarts),
            .. Of(input.AgainstCaptions),
            .. Of(input.AgainstOthers), "", "", N(input.SilhouetteByPicture), "", N(input.NeighboursByPicture?.Share),
                N(input.NeighboursByPicture?.Expected), N(input.NeighboursByPicture?.PValue), "", "", ""]);
    }

    private static void Maps(StringBuilder t, IReadOnlyList<EmbeddingMap> maps)
    {
        CsvTables.Row(t, "map", "role", "item", "number", "tsne_x", "tsne_y", "pc1", "pc2", "pc1_share", "pc2_share");
        foreach (EmbeddingMap map in maps)
            foreach (MapPoint p in map.Points)
                CsvTables.Row(t, CsvTables.Text(map.Item ?? "all"), p.Role, CsvTables.Text(p.Item), N(p.Number), N(p.Tsne.X), N(p.Tsne.Y),
                    N(p.Principal.X), N(p.Principal.Y), N(map.PrincipalShares.X), N(map.PrincipalShares.Y));
    }

    private static void Activation(StringBuilder t, ActivationSpace activation)
    {
        CsvTables.Row(t, ["method", "layer", "item", "triggers", "starts", "different_captions", .. Names("captions"), .. Names("others")]);
        foreach (ActivationLayer l in activation.Layers)
        {
            CsvTables.Row(t,
                [l.Method, l.Layer, "", N(l.Triggers), N(l.Starts), N(l.DifferentCaptions), .. Of(l.AgainstCaptions),
                .. Of(l.AgainstOthers)]);
            foreach ((string item, Comparison c) in l.Pictures)
                CsvTables.Row(t, [l.Method, l.Layer, CsvTables.Text(item), "", "", "", .. Of(c), .. Of(null)]);
        }
    }

    private static void Agreement(StringBuilder t, WeightSpace weight)
    {
        CsvTables.Row(t, "method", "layer", "weights", "marked", "triggers", "triggers_empty", "captions", "captions_empty",
            "other_triggers", "difference", "difference_low", "difference_high", "p");
        foreach (WeightMethod m in weight.Methods)
            foreach (WeightLayer l in m.Layers)
                CsvTables.Row(t, m.Method, l.Layer, N(l.Weights), N(l.Marked), N(l.Triggers), N(l.TriggersEmpty), N(l.Captions),
                    N(l.CaptionsEmpty), N(l.OtherTriggers), N(l.Difference?.Value), N(l.Difference?.Low), N(l.Difference?.High),
                    N(l.PValue));
    }

    private static void Transfer(StringBuilder t, WeightSpace weight)
    {
        CsvTables.Row(t, "method", "item", "pruned_for", "generated_from", "similarity");
        foreach (WeightPicture p in weight.Methods.SelectMany(m => m.Pictures))
        {
            void Rows(string prefix, IReadOnlyList<IReadOnlyList<double>> rows, Func<int, string> name)
            {
                for (int i = 0; i < rows.Count; i++)
                    for (int j = 0; j < rows[i].Count; j++)
                        CsvTables.Row(t, p.Method, CsvTables.Text(p.Item), prefix + name(i), N(p.Triggers[j]), N(rows[i][j]));
            }
            Rows("nothing", [p.Unpruned], _ => "");
            Rows("trigger ", p.Transfer, i => N(p.Triggers[i]));
            Rows("another picture's caption ", p.Null, i => N(i));
        }
    }

    private static void Unions(StringBuilder t, WeightSpace weight)
    {
        CsvTables.Row(t, "method", "item", "triggers", "marked", "share", "found", "searches", "similarity", "loss_ratio");
        foreach (WeightPicture p in weight.Methods.SelectMany(m => m.Pictures))
            foreach (UnionStep u in p.Unions)
                CsvTables.Row(t, p.Method, CsvTables.Text(p.Item), N(u.Triggers), N(u.Marked), N(u.Share), u.Found ? "true" : "false",
                N(u.Searches), N(u.Similarity), N(u.LossRatio));
    }

    private static string[] Names(string against) =>
        [$"over_{against}", $"over_{against}_low", $"over_{against}_high", $"over_{against}_p"];

    private static string[] Of(Comparison? c) => c is null ? ["", "", "", ""] : [N(c.Ratio), N(c.Low), N(c.High), N(c.PValue)];

    private static string N(double? value) => value is { } number ? CsvTables.Number(number) : "";
}
