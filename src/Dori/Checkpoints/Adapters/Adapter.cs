using System.Globalization;
using Dori.Checkpoints.Words;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.Adapters;

/// <summary>
/// A LoRA opened for a certain base: W += scale * (alpha / rank) * up @ down for each layer that it touches, in float32 and before any
/// rounding. Opening looks at every key, shape and value; no weight has changed until then.
/// </summary>
internal sealed class Adapter
{
    private readonly AdapterContent _content;

    private Adapter(AdapterContent content, double scale, IReadOnlyList<AdapterLayer> layers, IReadOnlyList<string> notes)
    {
        (_content, Scale, Layers, Notes) = (content, scale, layers, notes);
    }

    /// <summary>As given.</summary>
    public string Path => _content.Path;
    /// <summary>The file's name without its ending; the folder's where the file has the name that all have.</summary>
    public string Name => _content.Name;
    public double Scale { get; }
    internal IReadOnlyList<AdapterLayer> Layers { get; }
    /// <summary>What was passed over, corrected or taken for granted, a sentence each.</summary>
    public IReadOnlyList<string> Notes { get; }
    public AdapterTraining? Training => _content.Training;
    /// <summary>Words that are bundled in its files.</summary>
    public IReadOnlyList<TrainedWord> Words => _content.Words;
    /// <summary>Paths of everything that decides the change.</summary>
    public IReadOnlyList<string> Files => _content.Files;

    /// <summary>What it is, in a line: kind, rank, alpha, what it touches.</summary>
    public string Description => AdapterInfo.Describe(_content);

    /// <param name="path">A safetensors file, or a folder that holds one, or PEFT's folder of folders.</param>
    /// <param name="scale">Factor over alpha / rank.</param>
    /// <exception cref="DoriException">Another kind of adapter, for another base, a key without a weight, a shape that does not fit, or
    /// values that are not numbers.</exception>
    internal static Adapter Open(string path, double scale, AdapterTargets targets, string baseName)
    {
        AdapterContent content = AdapterContent.Read(path);
        var notes = new List<string>();
        CheckBase(content, targets, baseName);
        CheckWords(content, targets.TextWidth);
        var layers = new List<AdapterLayer>();
        List<string> lost = [];
        foreach (AdapterPair pair in content.Pairs)
        {
            if (pair is { Part: AdapterPart.Text, Layer: "text_projection" })
            {
                notes.Add($"{path}: {pair.Up} is passed over: this model does not use the text encoder's projection");
                continue;
            }
            if (targets.Find(pair.Part, pair.Layer) is not { } target) lost.Add(pair.Down);
            else layers.Add(pair.For(target.Part, target.Weight, target.Shape));
        }
        if (lost.Count > 0) throw Lost(path, lost, baseName);
        CheckLayers(content, layers, notes);
        if (layers.All(layer => layer.Part != AdapterPart.UNet)) notes.Add($"{path}: the UNet is not touched, the text encoder alone");
        if (layers.All(layer => layer.Part != AdapterPart.Text)) notes.Add($"{path}: the text encoder is not touched, the UNet alone");
        return new Adapter(content, scale, layers, notes);
    }

    /// <summary>The commonest mistake, in one line, before hundreds of shapes that do not fit.</summary>
    private static void CheckBase(AdapterContent content, AdapterTargets targets, string baseName)
    {
        if (content.CrossAttentionWidth is { } width && width != targets.CrossAttentionWidth)
            throw new DoriException(
                $"{content.Path}: a LoRA for {AdapterInfo.Kind((int)width)} (attn2.to_k takes {width}); {baseName} is "
                + $"{AdapterInfo.Kind(targets.CrossAttentionWidth)} ({targets.CrossAttentionWidth})");
        if (content.TextWidth is { } text && text != targets.TextWidth)
            throw new DoriException(
                $"{content.Path}: a LoRA for {AdapterInfo.TextKind((int)text)} (its text encoder is {text} wide); {baseName} is "
                + $"{AdapterInfo.Kind(targets.CrossAttentionWidth)} (its text encoder is {targets.TextWidth} wide)");
        if (content.Pairs.FirstOrDefault(pair => pair.Part == AdapterPart.Text2) is { } second)
            throw new DoriException($"{content.Path}: {second.Down} is for a second text encoder, as SDXL has; {baseName} has one");
        if (content.SdxlKey is { } deep)
            throw new DoriException(
                $"{content.Path}: a LoRA for SDXL (it has {deep}); {baseName} is {AdapterInfo.Kind(targets.CrossAttentionWidth)}");
    }

    private static void CheckWords(AdapterContent content, int textWidth)
    {
        foreach (string path in content.Words.Select(word => word.File).Distinct())
        {
            using SafetensorsFile file = SafetensorsFile.Open(path);
            WordFile.Bundled(file, textWidth);
        }
    }

    private static DoriException Lost(string path, List<string> lost, string baseName) =>
        new($"{path}: {lost.Count} of its layers find no weight in {baseName}: "
            + $"{string.Join(", ", lost.Take(3).Select(SafetensorsFile.Shown))}{(lost.Count > 3 ? ", ..." : "")}; it belongs to another "
            + "model");

    private static void CheckLayers(AdapterContent content, List<AdapterLayer> layers, List<string> notes)
    {
        var twice = layers.GroupBy(layer => (layer.Part, layer.Weight)).FirstOrDefault(group => group.Count() > 1);
        if (twice is not null)
            throw new DoriException(
                $"{content.Path}: {twice.ElementAt(0).Down} and {twice.ElementAt(1).Down} are two changes of one weight, "
                + $"{twice.Key.Weight}; which one is meant cannot be told");
        foreach (AdapterLayer layer in layers)
            if (layer.Misfit(content.Tensors(layer.File)) is { } misfit) throw new DoriException($"{content.Path}: does not fit: {misfit}");
        int noAlpha = layers.Count(layer => layer.Alpha is null);
        if (noAlpha > 0) notes.Add(
            $"{content.Path}: alpha is not in the file for {noAlpha} of {layers.Count} layers: taken as the rank (factor 1); FILE:SCALE "
            + "corrects it");
        foreach (AdapterLayer layer in layers.Where(layer => layer.Alpha == 0)) notes.Add(
            $"{content.Path}: alpha of {layer.Down} is 0: this layer changes nothing");
        bool changes = false;
        foreach (IGrouping<string, AdapterLayer> file in layers.GroupBy(layer => layer.File)) changes |= CheckValues(file.Key, file);
        if (!changes) notes.Add($"{content.Path}: changes nothing: lora_up or lora_down of every layer is zero");
    }

    /// <returns>Whether any layer changes its weight.</returns>
    private static bool CheckValues(string path, IEnumerable<AdapterLayer> layers)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        bool changes = false;
        foreach (AdapterLayer layer in layers)
        {
            bool zero = false;
            foreach (string name in new[] { layer.Down, layer.Up, layer.Mid }.OfType<string>())
            {
                using var scope = NewDisposeScope();
                Tensor values = file.Read(name).to(float32);
                if (!values.isfinite().all().item<bool>())
                    throw new DoriException($"{path}: {name} holds infinities or NaN: its training broke down or the file is damaged");
                zero |= !values.any().item<bool>();
            }
            changes |= !zero && layer.Factor != 0;
        }
        return changes;
    }

    /// <summary>"kohya", or "kohya x 0.6" at another scale than 1.</summary>
    public string NameAndScale => Scale == 1 ? Name : string.Create(CultureInfo.InvariantCulture, $"{Name} x {Scale}");
}
