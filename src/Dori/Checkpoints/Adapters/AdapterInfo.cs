using System.Globalization;

namespace Dori.Checkpoints.Adapters;

/// <summary>What a LoRA file is, as <c>dori info</c> shows it without a base.</summary>
/// <param name="Fits">The kind of base, as far as shapes tell.</param>
/// <param name="Layers">Changed layers by part.</param>
internal sealed record AdapterInfo(string Schema, string Path, string Description, string Fits, IReadOnlyList<long> Ranks,
    IReadOnlyList<double> Alphas, int LayersWithoutAlpha,
    IReadOnlyDictionary<string, int> Layers, AdapterTraining? Training, IReadOnlyList<string> Notes)
{
    /// <summary>Reads a file or folder and looks at every key.</summary>
    /// <exception cref="DoriException">Another kind of adapter, which the message names, or an unsound file.</exception>
    public static AdapterInfo Read(string path)
    {
        AdapterContent content = AdapterContent.Read(path);
        var notes = new List<string>();
        if (content.Pairs.Any(
            pair => pair.Alpha is null)) notes.Add("Alpha is not in the file for some layers: taken as the rank; FILE:SCALE corrects it.");
        if (content.Words.Count > 0) notes.Add($"Bundles {string.Join(", ", content.Words.Select(word => word.Shown))}: prompts that hold "
            + "it are read with it.");
        string[] said = [.. new[] { "lcm", "lightning", "hyper", "dmd2", "tcd", "turbo" }.Where(
            word => content.Name.Contains(word, StringComparison.OrdinalIgnoreCase))];
        if (said.Length > 0) notes.Add(
            $"Its name says {said[0]}: a guess is that it wants its own sampler, 1 to 8 sampler steps and guidance of 1 to 2.");
        return new AdapterInfo("dori.info/lora/1", System.IO.Path.GetFullPath(path), Describe(content), Fitting(content),
            [.. content.Pairs.Select(pair => pair.Rank).Distinct().Order()],
            [.. content.Pairs.Select(pair => pair.Alpha).OfType<double>().Distinct().Order()],
                content.Pairs.Count(pair => pair.Alpha is null),
            content.Pairs.GroupBy(Part).OrderBy(group => group.Key, StringComparer.Ordinal)
                .ToDictionary(group => group.Key, group => group.Count()), content.Training, notes);
    }

    /// <summary>Whether a path leads to an adapter of any kind, as against a model.</summary>
    public static bool IsAdapter(string path)
    {
        if (Directory.Exists(path))
            return !File.Exists(System.IO.Path.Combine(path, "model_index.json"))
                && new[] { AdapterContent.PublishedName, AdapterContent.PeftName, $"unet/{AdapterContent.PeftName}",
                    $"text_encoder/{AdapterContent.PeftName}" }
                    .Any(name => File.Exists(System.IO.Path.Combine(path, name)));
        if (!File.Exists(path) || System.IO.Path.GetExtension(path) != ".safetensors") return false;
        using SafetensorsFile file = SafetensorsFile.Open(path);
        return AdapterKinds.IsAdapter(file);
    }

    internal static string Describe(AdapterContent content)
    {
        string parts = string.Join(", ", content.Pairs.GroupBy(Part).OrderBy(group => group.Key, StringComparer.Ordinal)
            .Select(group => $"{group.Key} {group.Count()}"));
        double[] alphas = [.. content.Pairs.Select(pair => pair.Alpha ?? pair.Rank).Distinct().Order()];
        bool absent = content.Pairs.All(pair => pair.Alpha is null);
        return $"LoRA, rank {Range([.. content.Pairs.Select(pair => (double)pair.Rank).Distinct().Order()])}, alpha "
            + $"{(absent ? "not in the file (the rank)" : Range(alphas))}; layers: {parts}";
    }

    internal static string Kind(int crossAttention) => crossAttention switch
    {
        768 => "SD 1.x",
        1024 => "SD 2.x",
        2048 => "SDXL",
        _ => $"a model whose text is {crossAttention} wide",
    };

    internal static string TextKind(int width) => width switch
    {
        768 => "SD 1.x or SDXL",
        1024 => "SD 2.x",
        _ => $"a model whose text is {width} wide",
    };

    private static string Fitting(AdapterContent content) =>
        content.CrossAttentionWidth is { } width ? $"{Kind((int)width)} (attn2.to_k takes {width})"
        : content.Pairs.Any(pair => pair.Part == AdapterPart.Text2) ? "SDXL (it has a second text encoder)"
        : content.SdxlKey is { } key ? $"SDXL (it has {key})"
        : content.TextWidth is { } text ? $"{TextKind((int)text)} (its text encoder is {text} wide)"
        : "not told by its shapes";

    private static string Part(AdapterPair pair) => pair.Part switch
    {
        AdapterPart.Text => "text encoder",
        AdapterPart.Text2 => "second text encoder",
        AdapterPart.UNet => "UNet",
        _ => pair.Layer.Contains("text_model", StringComparison.Ordinal) ? "text encoder" : "UNet",
    };

    private static string Range(double[] values) => values.Length == 1 ? values[0].ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{values[0]} to {values[^1]}");
}
