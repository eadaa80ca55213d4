using System.Globalization;
using Dori.Models;
using Dori.Native;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.SingleFile;

/// <summary>
/// A model in one safetensors file, as CompVis' and Stability's code and web UIs write it. Nothing is converted on disk: names, and shapes
/// where they differ, are translated as the weights are read. Configs come with the program, or from a diffusers folder that is named,
/// which also lends what the file lacks.
/// </summary>
internal sealed partial class SingleFileModel : ICheckpointSource
{
    private readonly SingleFileKeys _keys;
    /// <summary>The folder given as <c>--config</c>.</summary>
    private readonly DiffusersFolder? _config;
    private readonly string? _kind;
    private readonly PredictionSource _prediction;

    private SingleFileModel(string path, SingleFileKeys keys, DiffusersFolder? config, string? kind, string? predictionType)
    {
        (Path, _keys, _config, _kind) = (path, keys, config, kind);
        Collected = config?.Collected.Copy() ?? new ModelNotes();
        (UNet, Vae, TextEncoder, Scheduler) = config is not null ? (config.UNet, config.Vae, config.TextEncoder, config.Scheduler)
            : (BuiltIn("unet/config.json", ConfigFiles.UNet), BuiltIn("vae/config.json", ConfigFiles.Vae),
                BuiltIn("text_encoder/config.json", ConfigFiles.ClipText),
                BuiltIn("scheduler/scheduler_config.json", ConfigFiles.Scheduler));
        if (config is null) UNet = UNet with { InChannels = (int)InChannels() };
        Check();
        Func<bool>? tell = config is null && kind == "sd2" && UNet.InChannels == 4 ? TellVelocity : null;
        _prediction = PredictionSource.Of(path, keys, predictionType, Scheduler.PredictionType, tell, Collected);
        Scheduler = Scheduler with { PredictionType = _prediction.Type };
        if (keys.ZeroTerminalSnr) // a schedule that ends in noise is sampled from its end
            Scheduler = Scheduler with { ClassName = ConfigFiles.Ddim, RescaleBetasZeroSnr = true, TimestepSpacing = "trailing" };
        const int large = 96;
        // SD 2's velocity models draw 768 pixels
        if (config is null && kind == "sd2" && _prediction.Type == PredictionSource.Velocity) UNet = UNet with { SampleSize = large };
        Say();
    }

    public string Path { get; }
    public string? Folder => _config?.Path;
    public UNetConfig UNet { get; }
    public VaeConfig Vae { get; }
    public ClipTextConfig TextEncoder { get; }
    public SchedulerConfig Scheduler { get; }
    public ModelNotes Collected { get; }

    /// <param name="configFolder">A diffusers folder; null: the configs of the kind that names and shapes tell.</param>
    /// <param name="predictionType"><c>epsilon</c>, <c>v_prediction</c>, or null: the file or its config decides.</param>
    /// <exception cref="DoriException">Something else than a model, a kind that needs configs, a missing part, or a key that is not
    /// understood.</exception>
    public static SingleFileModel Open(string path, string? configFolder, string? predictionType)
    {
        using SafetensorsFile file = SafetensorsFile.Open(path);
        SingleFileKind.RefuseOthers(file);
        SingleFileKeys keys = SingleFileKeys.Sort(file);
        string? kind = SingleFileKind.Of(file, keys);
        DiffusersFolder? config = configFolder is null ? null : DiffusersFolder.Open(configFolder);
        if (config is null) RefuseUnknown(path, file, keys, kind);
        return new SingleFileModel(path, keys, config, kind, predictionType);
    }

    private static void RefuseUnknown(string path, SafetensorsFile file, SingleFileKeys keys, string? kind)
    {
        string[] missing = [.. new[] { (keys.UNet.Count > 0, "UNet"), (keys.Vae.Count > 0, "VAE"), (keys.HasText, "text encoder") }.Where(
            part => !part.Item1).Select(part => part.Item2)];
        if (missing.Length > 0)
        {
            string vae = System.IO.Path.ChangeExtension(path, ".vae.safetensors");
            throw new DoriException(
                $"{path}: holds no {string.Join(" and no ", missing)}; give `Config` FOLDER, a diffusers folder that has it, and it is "
                + "taken from there"
                + (File.Exists(vae) ? $" ({System.IO.Path.GetFileName(vae)} beside it is not read by itself)" : ""));
        }
        if (kind == "sdxl") throw new DoriException(
            $"{path}: an SDXL model in a single file: it is known as one, but SDXL is not run; SD 1.x and 2.x are");
        if (kind is not null) return;
        string? cross = keys.UNet.Keys.FirstOrDefault(key => key.EndsWith(".attn2.to_k.weight", StringComparison.Ordinal));
        string seen = cross is null ? ""
            : $" (attn2.to_k takes {string.Join(" x ", file.Tensors[keys.UNet[cross]].Shape.Skip(1))}; 768, 1,024 and 2,048 are known)";
        throw new DoriException(
            $"{path}: a single file of none of the kinds whose configs come with the program{seen}; give `Config` FOLDER, a diffusers "
            + "folder with its configs and tokenizer");
    }

    public ClipTokenizer OpenTokenizer() => _config?.OpenTokenizer() ?? BuiltInConfigs.Tokenizer(_kind!);

    public WeightSet OpenUNet() => _keys.UNet.Count == 0 ? _config!.OpenUNet()
        : Set("unet", file => _keys.UNet.Select(pair => One(file, pair, UNetNames.ToDiffusers(pair.Key, UNet.LayersPerBlock))));

    public WeightSet OpenVae() => _keys.Vae.Count == 0 ? _config!.OpenVae()
        : Set("vae", file => _keys.Vae.Select(pair => Flat(One(file, pair, VaeNames.ToDiffusers(pair.Key, Vae.BlockOutChannels.Count)))));

    public WeightSet OpenTextEncoder()
    {
        if (!_keys.HasText) return _config!.OpenTextEncoder();
        return Set("text_encoder", file => [.. _keys.Text.Select(pair => One(file, pair, pair.Key)),
            .. _keys.OpenClipText.Where(pair => !IsBeyond(pair.Key)).SelectMany(pair => Split(file, pair))]);
    }

    public IReadOnlyList<(string File, string Sha256)> FileHashes()
    {
        var hashes = new List<(string, string)> { (System.IO.Path.GetFileName(Path), InputFile.Sha256(Path, InputKind.Weights)) };
        if (_config is not null) hashes.AddRange(
            _config.FileHashes(file => !IsWeights(file) || Borrowed(file.Split('/')[0]))
            .Select(pair => ($"config/{pair.File}", pair.Sha256)));
        if (_prediction.Outside) hashes.Add(($"prediction type {_prediction.Type}", Sha256Text.Of(_prediction.Type)));
        return hashes;
    }

    private static bool IsWeights(string file) => file.Split('/')[0] is "unet" or "vae" or "text_encoder"
        && System.IO.Path.GetExtension(file) is not (".json" or ".txt" or ".md");

    private bool Borrowed(string part) => part switch
    {
        "unet" => _keys.UNet.Count == 0,
        "vae" => _keys.Vae.Count == 0,
        _ => !_keys.HasText,
    };

    /// <summary>SD 2's files hold a 24th layer of the text encoder, whose last output the model does not take.</summary>
    private bool IsBeyond(string openClip) => TextNames.Layer(openClip) == TextEncoder.NumHiddenLayers;

    private T BuiltIn<T>(string file, Func<ConfigJson, T> parse) =>
        ConfigJson.Parse($"{_kind}/{file} of the program", BuiltInConfigs.Read(_kind!, file), parse);

    private long InChannels()
    {
        using SafetensorsFile file = SafetensorsFile.Open(Path);
        return _keys.UNet.TryGetValue("input_blocks.0.0.weight", out string? entry) && file.Tensors[entry].Shape is [_, var channels, _, _]
            ? channels : UNet.InChannels;
    }

    private bool TellVelocity()
    {
        using WeightSet weights = OpenUNet();
        return PredictionSource.PredictsVelocity(UNet, weights);
    }

    /// <summary>Every name is translated once, so that a key that is not understood is an error now.</summary>
    private void Check()
    {
        foreach (Func<WeightSet> open in new Func<WeightSet>[] { OpenUNet, OpenVae, OpenTextEncoder }) open().Dispose();
        foreach (string key in _keys.OpenClipText.Keys.Where(IsBeyond)) _keys.PassOver(
            $"the text encoder's layer {TextEncoder.NumHiddenLayers + 1}, whose output the model does not take");
    }

    private void Say()
    {
        Collected.Say($"{Path}: {Name()} in a single file; predicts "
            + $"{(_prediction.Type == PredictionSource.Velocity ? "velocity" : "noise")}: {_prediction.Said}"
            + (_keys.ZeroTerminalSnr ? "; its schedule ends in pure noise: the file says so (ztsnr)" : ""));
        if (_keys.PassedOver.Count > 0) Collected.Detail(
            $"{Path}: passed over: {string.Join("; ", _keys.PassedOver.Select(group => $"{group.Key} ({group.Value})"))}");
        string[] borrowed = [.. new[] { "unet", "vae", "text_encoder" }.Where(Borrowed)];
        if (borrowed.Length > 0)
            Collected.Say($"{Path}: holds no {string.Join(" and no ", borrowed)}: taken from {_config!.Path} (`Config`)");
        if (!PositionsAreCounted()) Collected.Say(
            $"{Path}: its position_ids are not 0, 1, 2, ...: a web UI draws other pictures from it; they are passed over");
    }

    private string Name() => _kind switch { "sd1" => "SD 1.x", "sd2" => "SD 2.x", _ => $"a model with the configs of {_config?.Path}" };

    private bool PositionsAreCounted()
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile file = SafetensorsFile.Open(Path);
        return _keys.PositionIdKeys.All(key =>
        {
            Tensor ids = file.Read(key).to(float64).flatten();
            return ids.numel() == 0 || (ids - TensorMath.Range(ids.numel(), float64)).abs().max().item<double>() == 0;
        });
    }

    private WeightSet Set(string part, Func<SafetensorsFile, IEnumerable<WeightSet.Source>> sources)
    {
        SafetensorsFile file = SafetensorsFile.Open(Path);
        try
        {
            return WeightSet.Of($"{Path} ({part})", file, sources(file));
        }
        catch
        {
            file.Dispose();
            throw;
        }
    }

    private WeightSet.Source One(SafetensorsFile file, KeyValuePair<string, string> key, string? name)
    {
        TensorInfo info = file.Tensors[key.Value];
        return name is null ? throw NoPlace(key.Value) : new WeightSet.Source(file, key.Value, info with { Name = name });
    }

    /// <summary>The VAE's attention was made of 1 x 1 convolutions.</summary>
    private static WeightSet.Source Flat(WeightSet.Source source) => source.Info.Name.Contains(".attentions.", StringComparison.Ordinal)
        && source.Info.Shape is [_, _, 1, 1]
        ? source with { Info = source.Info with { Shape = [.. source.Info.Shape.Take(2)] }, Change = stored => stored.flatten(1) }
        : source;

    private IEnumerable<WeightSet.Source> Split(SafetensorsFile file, KeyValuePair<string, string> key)
    {
        TensorInfo info = file.Tensors[key.Value];
        IReadOnlyList<TextNames.Target> targets = TextNames.OpenClip(key.Key);
        if (targets.Count == 0) throw NoPlace(key.Value);
        foreach (TextNames.Target target in targets)
        {
            if (target.Part is not { } part)
            {
                yield return target.Transposed
                    ? new WeightSet.Source(file, key.Value, info with { Name = target.Name, Shape = [.. info.Shape.Reverse()] }, stored =>
                        stored.t())
                    : new WeightSet.Source(file, key.Value, info with { Name = target.Name });
                continue;
            }
            const int parts = 3;
            if (info.Shape.Count == 0 || info.Shape[0] % parts != 0)
                throw new DoriException(
                    $"{Path}: {key.Value} has shape ({string.Join(", ", info.Shape)}); queries, keys and values of equal size are "
                    + "expected in it");
            long rows = info.Shape[0] / parts;
            yield return new WeightSet.Source(file, key.Value, info with { Name = target.Name, Shape = [rows, .. info.Shape.Skip(1)],
                ByteCount = info.ByteCount / parts },
                stored => stored.narrow(0, part * rows, rows));
        }
    }

    private DoriException NoPlace(string key) => new(string.Create(CultureInfo.InvariantCulture,
        $"{Path}: the key {SafetensorsFile.Shown(key)} has no place in the networks that the configs describe ({Name()})"));
}
