using System.Text.Json;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>One tensor that is not the same in two models.</summary>
/// <param name="Component">unet, vae, text_encoder</param>
/// <param name="Change">changed; or what keeps the values from being compared: only in A, only in B, another shape</param>
/// <param name="Weights">Elements, of the one that has it.</param>
/// <param name="Changed">Elements whose values differ.</param>
/// <param name="MaxAbsolute">Largest |b - a|.</param>
/// <param name="Rms">Root of the mean of (b - a)^2 over all elements.</param>
/// <param name="Relative">|b - a| / |a|, Euclidean norms; null where a is all zeros.</param>
internal sealed record TensorDifference(string Component, string Name, string Change, IReadOnlyList<long> Shape, long Weights, long Changed,
    double MaxAbsolute, double Rms, double? Relative);

/// <summary>A component in total; the figures are over all tensors that both have in one shape.</summary>
internal sealed record ComponentDifference(string Name, int Tensors, int ChangedTensors, long Weights, long Changed, double MaxAbsolute,
    double Rms, double? Relative);

/// <summary>A value of a config, or another file of the model, that differs.</summary>
/// <param name="Key">Path within the JSON with dots; empty for a file that is no JSON, whose values are SHA-256.</param>
/// <param name="A">As JSON; null where it is missing.</param>
internal sealed record ConfigDifference(string File, string Key, string? A, string? B);

/// <summary>What one model's files hold that another's do not.</summary>
/// <param name="Tensors">Every tensor that differs: not comparable ones first, then by relative change, then by name.</param>
internal sealed record ModelDifference(string Schema, string A, string B, bool Same, IReadOnlyList<ComponentDifference> Components,
    IReadOnlyList<TensorDifference> Tensors, IReadOnlyList<ConfigDifference> Configs);

/// <summary>Compares two models weight by weight, one tensor in memory at a time.</summary>
internal static class ModelDiff
{
    public const string Changed = "changed", OnlyA = "only in A", OnlyB = "only in B", AnotherShape = "another shape";

    /// <summary>Sums over the tensors of a component.</summary>
    private sealed class Totals
    {
        public int Tensors, Differing;
        public long Weights, Changed;
        public double Max, Squares, Base;

        public ComponentDifference As(string name) =>
            new(name, Tensors, Differing, Weights, Changed, Max, Weights == 0 ? 0 : Math.Sqrt(Squares / Weights), Ratio(Squares, Base));
    }

    /// <exception cref="DoriException">A model that cannot be opened, or a weight that is not a number.</exception>
    public static ModelDifference Between(Checkpoint a, Checkpoint b, CancellationToken cancellation = default)
    {
        var components = new List<ComponentDifference>();
        var tensors = new List<TensorDifference>();
        foreach ((string name, Func<Checkpoint, WeightSet> open, Func<string, string> key) in new (
            string, Func<Checkpoint, WeightSet>, Func<string, string>)[]
                 { ("unet", f => f.OpenUNet(), k => k), ("text_encoder", f => f.OpenTextEncoder(), CheckpointKeys.TextEncoder),
                     ("text_encoder_2", f => f.OpenTextEncoder2(), CheckpointKeys.TextEncoder),
                     ("vae", f => f.OpenVae(), CheckpointKeys.Vae) })
        {
            if (name == "text_encoder_2" && (a.TextEncoder2 is null || b.TextEncoder2 is null)) continue;
            using WeightSet first = open(a), second = open(b);
            components.Add(Component(name, first, second, key, tensors, cancellation));
        }
        // A single file brings no configs to compare.
        ConfigDifference[] configs = a.Base is DiffusersFolder inA && b.Base is DiffusersFolder inB ? [.. Files(inA, inB)] : [];
        TensorDifference[] ordered =
            [.. tensors.OrderBy(t => t.Change == Changed).ThenByDescending(t => t.Relative ?? double.PositiveInfinity)
            .ThenBy(t => t.Component, StringComparer.Ordinal).ThenBy(t => t.Name, StringComparer.Ordinal)];
        return new ModelDifference("dori.diff/1", a.Adapters.Count == 0 ? a.Path : a.Name, b.Adapters.Count == 0 ? b.Path : b.Name,
            ordered.Length == 0 && configs.Length == 0, components, ordered, configs);
    }

    private static ComponentDifference Component(string component, WeightSet a, WeightSet b, Func<string, string> key,
        List<TensorDifference> found, CancellationToken cancellation)
    {
        // Two spellings of one published key are one weight.
        var inA = a.Names.ToDictionary(key, name => name, StringComparer.Ordinal);
        var inB = b.Names.ToDictionary(key, name => name, StringComparer.Ordinal);
        var totals = new Totals();
        foreach (string name in inA.Keys.Union(inB.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            cancellation.ThrowIfCancellationRequested();
            totals.Tensors++;
            TensorInfo? first = inA.TryGetValue(name, out string? nameA) ? a.Info(nameA)
                : null, second = inB.TryGetValue(name, out string? nameB) ? b.Info(nameB) : null;
            TensorDifference? difference = first is null ? Incomparable(component, name, OnlyB, second!) : second is null
                ? Incomparable(component, name, OnlyA, first)
                : first.Shape.Aggregate(1L, (x, y) => x * y) != second.Shape.Aggregate(1L, (x, y) => x * y)
                    ? Incomparable(component, name, AnotherShape, second)
                : Values(component, name, (a, nameA!), (b, nameB!), totals);
            if (difference is null) continue;
            totals.Differing++;
            found.Add(difference);
        }
        return totals.As(component);
    }

    private static TensorDifference Incomparable(string component, string name, string change, TensorInfo info)
    {
        long weights = info.Shape.Aggregate(1L, (x, y) => x * y);
        return new TensorDifference(component, name, change, info.Shape, weights, weights, 0, 0, null);
    }

    private static TensorDifference? Values(string component, string name, (WeightSet Set, string Name) a, (WeightSet Set, string Name) b,
        Totals totals)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        TensorInfo info = b.Set.Info(b.Name);
        Tensor x = a.Set.Read(a.Name).to(float64).flatten(), y = b.Set.Read(b.Name).to(float64).flatten();
        long weights = x.numel();
        if (weights == 0) return null;
        Tensor difference = y.Plus(x, -1);
        double squares = difference.Squared().sum().item<double>(), norm = x.Squared().sum().item<double>();
        if (!double.IsFinite(squares) || !double.IsFinite(norm))
            throw new DoriException(
                $"{component}: tensor {name} of {a.Set.FileOf(a.Name)} or {b.Set.FileOf(b.Name)} holds values that are not finite numbers");
        long changed = weights - x.eq(y).sum().item<long>();
        double max = difference.abs().max().item<double>();
        totals.Weights += weights;
        totals.Changed += changed;
        totals.Max = Math.Max(totals.Max, max);
        totals.Squares += squares;
        totals.Base += norm;
        return changed == 0 ? null
            : new TensorDifference(component, name, Changed, info.Shape, weights, changed, max, Math.Sqrt(squares / weights),
            Ratio(squares, norm));
    }

    private static double? Ratio(double squares, double norm) => norm > 0 ? Math.Sqrt(squares / norm) : squares == 0 ? 0 : null;

    /// <summary>Every file of the models but weights, which are compared by value.</summary>
    private static IEnumerable<ConfigDifference> Files(DiffusersFolder a, DiffusersFolder b)
    {
        Dictionary<string, string> inA = Hashes(a), inB = Hashes(b);
        foreach (string file in inA.Keys.Union(inB.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            string? hashA = inA.GetValueOrDefault(file), hashB = inB.GetValueOrDefault(file);
            if (hashA == hashB) continue;
            if (hashA is null || hashB is null || Path.GetExtension(file) != ".json")
                yield return new ConfigDifference(file, "", hashA, hashB);
            else
                foreach (ConfigDifference difference in Values(file, Path.Combine(a.Path, file), Path.Combine(b.Path, file)))
                    yield return difference;
        }
    }

    private static Dictionary<string, string> Hashes(DiffusersFolder folder) =>
        folder.FileHashes().Where(pair => !IsWeights(pair.File))
            .ToDictionary(pair => pair.File, pair => pair.Sha256, StringComparer.Ordinal);

    private static bool IsWeights(string file) => file.Split('/')[0] is "unet" or "vae" or "text_encoder"
        && (Path.GetExtension(file) == ".safetensors" || file.Contains(".index.", StringComparison.Ordinal));

    private static IEnumerable<ConfigDifference> Values(string file, string a, string b)
    {
        SortedDictionary<string, string> first = Leaves(a), second = Leaves(b);
        return first.Keys.Union(second.Keys, StringComparer.Ordinal).Order(StringComparer.Ordinal)
            .Select(key => new ConfigDifference(file, key, first.GetValueOrDefault(key), second.GetValueOrDefault(key)))
                .Where(difference => difference.A != difference.B);
    }

    private static SortedDictionary<string, string> Leaves(string path)
    {
        var leaves = new SortedDictionary<string, string>(StringComparer.Ordinal);
        try
        {
            using JsonDocument json = StrictJson.Document(InputFile.ReadBytes(path, InputKind.Record));
            Walk("", json.RootElement);
        }
        catch (JsonException e)
        {
            throw new DoriException($"{path}: cannot be read as JSON: {e.Message}", e);
        }
        return leaves;

        void Walk(string key, JsonElement value)
        {
            // Short lists are one value to a reader: block_out_channels.
            if (value.ValueKind == JsonValueKind.Object && value.GetPropertyCount() > 0)
                foreach (JsonProperty property in value.EnumerateObject())
                    Walk(key.Length == 0 ? property.Name : $"{key}.{property.Name}", property.Value);
            else leaves[key] = value.ValueKind == JsonValueKind.Array ? JsonSerializer.Serialize(value, DiffJson.Default.JsonElement)
                : value.GetRawText();
        }
    }
}

[System.Text.Json.Serialization.JsonSourceGenerationOptions(PropertyNamingPolicy =
    System.Text.Json.Serialization.JsonKnownNamingPolicy.CamelCase, NewLine = "\n")]
[System.Text.Json.Serialization.JsonSerializable(typeof(ModelDifference))]
[System.Text.Json.Serialization.JsonSerializable(typeof(JsonElement))]
internal sealed partial class DiffJson : System.Text.Json.Serialization.JsonSerializerContext;
