using System.Globalization;
using System.Text.RegularExpressions;
using Dori.Checkpoints.Words;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.Adapters;

/// <summary>A layer's tensors, before it is known which weight of which model they change.</summary>
internal sealed record AdapterPair(AdapterPart Part, string Layer, string File, string Down, string Up, string? Mid, long Rank,
    double? Alpha, double Factor)
{
    public AdapterLayer For(AdapterPart part, string weight, IReadOnlyList<long> shape) =>
        new(part, weight, shape, File, Down, Up, Mid, Rank, Alpha, Factor);
}

/// <summary>The files of a LoRA, taken apart key by key: pairs with rank and alpha, each layer's own.</summary>
internal sealed partial class AdapterContent
{
    public const string PublishedName = "pytorch_lora_weights.safetensors", PeftName = "adapter_model.safetensors";
    private static readonly (string Folder, AdapterPart Part)[] s_peftFolders =
        [("unet", AdapterPart.UNet), ("text_encoder", AdapterPart.Text), ("text_encoder_2", AdapterPart.Text2)];
    private readonly Dictionary<string, IReadOnlyDictionary<string, TensorInfo>> _tensors = new(StringComparer.Ordinal);
    private readonly List<AdapterPair> _pairs = [];
    private readonly List<string> _files = [];
    private readonly List<TrainedWord> _words = [];

    private AdapterContent(string path) => Path = path;

    public string Path { get; }
    public IReadOnlyList<AdapterPair> Pairs => _pairs;
    public IReadOnlyList<string> Files => _files;
    /// <summary>Words that are bundled with the pairs.</summary>
    public IReadOnlyList<TrainedWord> Words => _words;
    public IReadOnlyDictionary<string, string> Metadata { get; private set; } = new Dictionary<string, string>();
    public AdapterTraining? Training => AdapterTraining.Read(Metadata);

    public string Name
    {
        get
        {
            string file = System.IO.Path.GetFileName(System.IO.Path.TrimEndingDirectorySeparator(Path));
            if (Directory.Exists(Path)) return new DirectoryInfo(Path).Name;
            return file is PublishedName or PeftName ? Directory.GetParent(System.IO.Path.GetFullPath(Path))?.Name ?? file
                : System.IO.Path.GetFileNameWithoutExtension(file);
        }
    }

    /// <summary>
    /// What <c>attn2.to_k</c> or <c>to_v</c> takes: the width of the text that the base's UNet is given. Null where they are not touched.
    /// </summary>
    public long? CrossAttentionWidth => Width(pair => CrossAttention().IsMatch(pair.Layer));

    /// <summary>Width of the first text encoder; null where its attention is not touched.</summary>
    public long? TextWidth => Width(pair => pair.Part == AdapterPart.Text && TextAttention().IsMatch(pair.Layer));

    /// <summary>A key of a layer that of the three kinds SDXL alone has: a second or further transformer block.</summary>
    public string? SdxlKey => Pairs.FirstOrDefault(pair => DeepTransformer().IsMatch(pair.Layer))?.Down;

    public IReadOnlyDictionary<string, TensorInfo> Tensors(string file) => _tensors[file];

    /// <exception cref="DoriException">No LoRA, another kind of adapter, halves of pairs, or settings that disagree with the
    /// tensors.</exception>
    public static AdapterContent Read(string path)
    {
        var content = new AdapterContent(path);
        foreach ((string file, AdapterPart part) in FilesOf(path)) content.ReadFile(file, part);
        return content;
    }

    /// <summary>A file itself; of a folder the published name, PEFT's, PEFT's two folders, or the only safetensors file.</summary>
    private static IEnumerable<(string File, AdapterPart Part)> FilesOf(string path)
    {
        if (!Directory.Exists(path))
        {
            if (!File.Exists(path)) throw new DoriException($"`Lora` {path}: no such file or folder");
            string extension = System.IO.Path.GetExtension(path).ToLowerInvariant();
            return extension is ".ckpt" or ".pt" or ".pth" or ".bin"
                ? throw new DoriException($"{path}: a pickle, which is never loaded because it can run code; save the LoRA as .safetensors")
                : [(path, AdapterPart.Unsaid)];
        }
        foreach (string name in new[] { PublishedName, PeftName })
            if (System.IO.Path.Combine(path, name) is var file && File.Exists(file)) return [(file, AdapterPart.Unsaid)];
        (string, AdapterPart)[] peft = [.. s_peftFolders.Select(f => (System.IO.Path.Combine(path, f.Folder, PeftName), f.Part))
            .Where(f => File.Exists(f.Item1))];
        if (peft.Length > 0) return peft;
        string[] all = [.. Directory.EnumerateFiles(path, "*.safetensors").Order(StringComparer.Ordinal)];
        return all.Length == 1 ? [(all[0], AdapterPart.Unsaid)]
            : throw new DoriException(
                all.Length == 0 ? $"`Lora` {path}: the folder holds no LoRA ({PublishedName}, {PeftName}, unet/{PeftName} or one other "
                + ".safetensors)"
                : $"`Lora` {path}: the folder holds several files; name one of "
                    + $"{string.Join(", ", all.Take(8).Select(System.IO.Path.GetFileName))}{(all.Length > 8 ? ", ..." : "")}");
    }

    private void ReadFile(string path, AdapterPart folder)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        AdapterKinds.RefuseOthers(file);
        _files.Add(path);
        _tensors.Add(path, file.Tensors);
        if (file.Metadata.Count > 0) Metadata = file.Metadata;
        IReadOnlyDictionary<AdapterPart, AdapterSettings> inside = AdapterSettings.FromMetadata(file);
        AdapterSettings? beside = inside.Count == 0
            && file.Tensors.Keys.Any(key => key.Contains("base_model.model.", StringComparison.Ordinal)) ? AdapterSettings.Beside(path)
            : null;
        if (beside is not null) _files.Add(AdapterSettings.ConfigPath(path));

        _words.AddRange(WordFile.Bundled(file, textWidth: null));
        AdapterKey[] keys = [.. file.Tensors.Keys.Where(key => !WordFile.IsBundled(key)).Order(StringComparer.Ordinal)
            .Select(key => AdapterKey.Parse(key) ?? throw Unknown(path, key))];
        string[] names = [.. keys.Select(key => key.AdapterName).OfType<string>().Distinct()];
        if (names.Length > 1)
            throw new DoriException($"{path}: holds several adapters ({string.Join(", ", names)}); save the one that is meant by itself");
        foreach (IGrouping<(AdapterPart, string),
            AdapterKey> layer in keys.GroupBy(key => (key.Part == AdapterPart.Unsaid ? folder : key.Part, key.Layer)))
        {
            AdapterSettings? settings = beside ?? inside.GetValueOrDefault(
                layer.Key.Item1 == AdapterPart.Unsaid ? AdapterPart.UNet : layer.Key.Item1);
            _pairs.Add(Pair(file, layer.Key, [.. layer], settings));
        }
    }

    private static DoriException Unknown(string path, string key) => new($"{path}: the key {SafetensorsFile.Shown(key)} is none of a plain "
        + "LoRA's; a key that is not understood may change the model, so nothing was read");

    private static AdapterPair Pair(SafetensorsFile file, (AdapterPart Part, string Layer) layer, AdapterKey[] keys,
        AdapterSettings? settings)
    {
        string? One(AdapterRole role)
        {
            AdapterKey[] found = [.. keys.Where(key => key.Role == role)];
            return found.Length <= 1 ? found.Select(key => key.Key).FirstOrDefault()
                : throw new DoriException($"{file.Path}: {found[0].Key} and {found[1].Key} are two spellings of one tensor");
        }

        string? down = One(AdapterRole.Down), up = One(AdapterRole.Up), mid = One(AdapterRole.Mid), alphaKey = One(AdapterRole.Alpha);
        if (down is null || up is null)
            throw new DoriException(
                $"{file.Path}: {keys[0].Key} stands alone: "
                + $"{(down is null && up is null ? "lora_down and lora_up are" : down is null ? "lora_down is" : "lora_up is")} missing "
                + "for this layer; the file is not whole");
        TensorInfo info = file.Tensors[down];
        foreach (string name in new[] { down, up, mid, alphaKey }.OfType<string>())
            if (!file.Tensors[name].IsFloat && name != alphaKey)
                throw new DoriException(
                    $"{file.Path}: {name} is stored as {file.Tensors[name].Dtype}; float32, float16 and bfloat16 are read");
        if (info.Shape.Count == 0 || info.Shape[0] == 0)
            throw new DoriException($"{file.Path}: {down} has shape ({string.Join(", ", info.Shape)}), which holds no rank");
        long rank = mid is not null && file.Tensors[up].Shape.Count > 1 ? file.Tensors[up].Shape[1] : info.Shape[0];
        double? alpha = alphaKey is null ? null : Alpha(file, alphaKey);
        double factor;
        if (alpha is not null || settings?.Alpha(layer.Layer) is not { } configured) factor = alpha is { } own ? own / rank : 1;
        else
        {
            alpha = configured;
            factor = settings.RankStabilised ? configured / Math.Sqrt(rank) : configured / rank;
        }
        settings?.CheckRank(layer.Layer, rank);
        return new AdapterPair(layer.Part, layer.Layer, file.Path, down, up, mid, rank, alpha, factor);
    }

    /// <summary>One number of any type, with no dimensions or with one.</summary>
    private static double Alpha(SafetensorsFile file, string key)
    {
        using Tensor alpha = file.Read(key);
        if (alpha.numel() != 1) throw new DoriException($"{file.Path}: {key} holds {alpha.numel()} numbers; a layer's alpha is one");
        using Tensor wide = alpha.to(float64).view(1);
        double value = wide[0].item<double>();
        return double.IsFinite(value) ? value : throw new DoriException(
            $"{file.Path}: {key} is {value.ToString(CultureInfo.InvariantCulture)}, no number");
    }

    private long? Width(Func<AdapterPair, bool> chosen)
    {
        foreach (AdapterPair pair in _pairs.Where(chosen))
            if (_tensors[pair.File][pair.Down].Shape is { Count: >= 2 } shape) return shape[1];
        return null;
    }

    [GeneratedRegex(@"attn2[._]to_[kv]\z")]
    private static partial Regex CrossAttention();

    [GeneratedRegex(@"self_attn[._][qkv]_proj\z")]
    private static partial Regex TextAttention();

    [GeneratedRegex(@"transformer_blocks[._][1-9][0-9]*[._]")]
    private static partial Regex DeepTransformer();
}
