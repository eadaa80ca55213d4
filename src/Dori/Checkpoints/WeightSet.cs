using System.Text.Json;
using System.Text.Unicode;
using static TorchSharp.torch;

namespace Dori.Checkpoints;

/// <summary>
/// The weights of one component (unet, vae, text_encoder) of a diffusers folder, in one safetensors file or in shards with an index.
/// Full precision is preferred to an fp16 variant. Pickled weights are never loaded: they can run code.
/// </summary>
internal sealed class WeightSet : IDisposable
{
    private readonly Dictionary<string, Source> _sourceOf = new(StringComparer.Ordinal);
    private readonly List<SafetensorsFile> _files = [];
    private string[] _names = [];

    private WeightSet(string folder) => Folder = folder;

    /// <param name="Stored">The tensor's name in its file.</param>
    /// <param name="Info">Name, shape and dtype as the set presents them.</param>
    /// <param name="Change">From the stored tensor to the presented one; the result may be a view. Null: as stored.</param>
    internal sealed record Source(SafetensorsFile File, string Stored, TensorInfo Info, Func<Tensor, Tensor>? Change = null);

    public string Folder { get; }
    /// <summary>Of all tensors, in ordinal order.</summary>
    public IReadOnlyCollection<string> Names => _names;
    /// <summary>Paths of the safetensors files.</summary>
    public IReadOnlyList<string> Files => [.. _files.Select(file => file.Path)];

    /// <param name="folder">The component's folder.</param>
    /// <param name="baseName"><c>diffusion_pytorch_model</c> or <c>model</c></param>
    /// <exception cref="DoriException">No weights there, only pickled ones, an unsound file, or an index that disagrees with its
    /// shards.</exception>
    public static WeightSet Open(string folder, string baseName)
    {
        string path = Choose(folder, baseName);
        var set = new WeightSet(folder);
        try
        {
            if (path.EndsWith(".json", StringComparison.Ordinal)) set.OpenShards(path);
            else set.OpenSingle(path);
            set._names = [.. set._sourceOf.Keys.Order(StringComparer.Ordinal)];
            return set;
        }
        catch
        {
            set.Dispose();
            throw;
        }
    }

    /// <summary>A component whose weights lie under other names, or in other shapes, in a file that holds more than them.</summary>
    /// <param name="where">For messages.</param>
    /// <param name="file">Will be closed with the set.</param>
    internal static WeightSet Of(string where, SafetensorsFile file, IEnumerable<Source> sources)
    {
        var set = new WeightSet(where);
        set._files.Add(file);
        foreach (Source source in sources) set._sourceOf.Add(source.Info.Name, source);
        set._names = [.. set._sourceOf.Keys.Order(StringComparer.Ordinal)];
        return set;
    }

    /// <summary>From now on the tensor is read as float32 and given as <paramref name="change"/> makes it.</summary>
    /// <param name="shape">Of what it makes; null: the stored one.</param>
    internal void Change(string name, Func<Tensor, Tensor> change, IReadOnlyList<long>? shape = null)
    {
        Source source = Holder(name);
        _sourceOf[name] = source with
        {
            Info = source.Info with { Dtype = ScalarType.Float32, Shape = shape ?? source.Info.Shape },
            Change = stored => change((source.Change?.Invoke(stored) ?? stored).to(ScalarType.Float32)),
        };
    }

    /// <summary>The dtype that the file holds a tensor in, whatever it is read as.</summary>
    internal ScalarType StoredDtype(string name)
    {
        Source source = Holder(name);
        return source.File.Tensors[source.Stored].Dtype;
    }

    private static string Choose(string folder, string baseName)
    {
        if (!Directory.Exists(folder))
            throw new DoriException($"{folder} is not a folder: weights {baseName}.safetensors are expected in it");
        string[][] byPreference =
        [
            [$"{baseName}.safetensors", $"{baseName}.safetensors.index.json"],
            [$"{baseName}.fp16.safetensors", $"{baseName}.safetensors.index.fp16.json", $"{baseName}.fp16.safetensors.index.json"],
        ];
        foreach (string[] names in byPreference)
        {
            string[] there = [.. names.Where(name => File.Exists(Path.Combine(folder, name)))];
            // diffusers and transformers prefer different ones; a guess could audit weights that nobody uses.
            if (there.Length > 1)
                throw new DoriException($"{folder} has both {there[0]} and {there[1]}: remove the one that is not the model's");
            if (there.Length == 1) return Path.Combine(folder, there[0]);
        }
        throw new DoriException(Pickled(folder) is { } pickled
            ? $"{folder} has only pickled weights ({pickled}), which are never loaded because they can run code: convert the model with "
                + $"save_pretrained(..., safe_serialization=True)"
            : $"{folder} has no weights: {baseName}.safetensors, {baseName}.safetensors.index.json or an fp16 variant is expected");
    }

    private static string? Pickled(string folder)
    {
        try
        {
            return Directory.EnumerateFiles(folder).Select(path => Path.GetFileName(path))
                .Where(name => Path.GetExtension(name).ToLowerInvariant() is ".bin" or ".ckpt" or ".pt" or ".pth")
                .Order(StringComparer.Ordinal).FirstOrDefault();
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new DoriException($"cannot list {folder}: {e.Message}", e);
        }
    }

    private void OpenSingle(string path)
    {
        SafetensorsFile file = Add(path);
        foreach (TensorInfo info in file.Tensors.Values) _sourceOf.Add(info.Name, new Source(file, info.Name, info));
    }

    private void OpenShards(string indexPath)
    {
        Dictionary<string, string> shardOf = ReadIndex(indexPath);
        var shards = new Dictionary<string, SafetensorsFile>(StringComparer.Ordinal);
        foreach (string shard in shardOf.Values.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal))
        {
            SafetensorsFile file = Add(Path.Combine(Folder, shard));
            shards.Add(shard, file);
            foreach (string name in file.Tensors.Keys)
            {
                if (!shardOf.TryGetValue(name, out string? listed) || listed != shard)
                    throw new DoriException(
                        $"{indexPath} does not list '{SafetensorsFile.Shown(name)}' for {shard}, which holds it; download the model again");
            }
        }
        foreach ((string name, string shard) in shardOf)
        {
            if (!shards[shard].Tensors.ContainsKey(name))
                throw new DoriException(
                    $"{indexPath} lists '{SafetensorsFile.Shown(name)}' for {shard}, which does not hold it; download the model again");
            _sourceOf.Add(name, new Source(shards[shard], name, shards[shard].Tensors[name]));
        }
    }

    private SafetensorsFile Add(string path)
    {
        SafetensorsFile file = SafetensorsFile.Open(path);
        _files.Add(file);
        return file;
    }

    private static Dictionary<string, string> ReadIndex(string path)
    {
        try
        {
            byte[] bytes = InputFile.ReadBytes(path, InputKind.ShardIndex);
            if (!Utf8.IsValid(bytes)) throw new DoriException($"{path} is not UTF-8");
            using JsonDocument json = JsonDocument.Parse(bytes, new JsonDocumentOptions { AllowDuplicateProperties = false });
            if (json.RootElement.ValueKind != JsonValueKind.Object || !json.RootElement.TryGetProperty("weight_map", out JsonElement map)
                || map.ValueKind != JsonValueKind.Object || map.GetPropertyCount() == 0)
                throw new DoriException($"{path} has no weight_map");
            var shardOf = new Dictionary<string, string>(StringComparer.Ordinal);
            foreach (JsonProperty entry in map.EnumerateObject())
            {
                string? shard = entry.Value.ValueKind == JsonValueKind.String ? entry.Value.GetString() : null;
                if (shard is null || !IsPlainFileName(shard))
                    throw new DoriException(
                        $"{path}: weight_map sends '{SafetensorsFile.Shown(entry.Name)}' to "
                        + $"{SafetensorsFile.Shown(entry.Value.GetRawText())}, which is not the name of a .safetensors file in "
                        + "that folder");
                shardOf.Add(entry.Name, shard);
            }
            return shardOf;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new DoriException($"cannot read {path}: {e.Message}", e);
        }
    }

    private static bool IsPlainFileName(string name) =>
        name.EndsWith(".safetensors", StringComparison.Ordinal) && name.IndexOfAny(['/', '\\', ':']) < 0 && !name.Any(char.IsControl);

    /// <exception cref="DoriException">No such tensor.</exception>
    public TensorInfo Info(string name) => Holder(name).Info;

    /// <returns>On the CPU, in the stored dtype (float32 where an adapter changes it).</returns>
    /// <exception cref="DoriException">No such tensor, or its file has changed meanwhile.</exception>
    public Tensor Read(string name)
    {
        Source source = Holder(name);
        if (source.Change is null) return source.File.Read(source.Stored);
        using var scope = NewDisposeScope();
        return source.Change(source.File.Read(source.Stored)).contiguous().MoveToOuterDisposeScope();
    }

    /// <summary>Path of the safetensors file that holds a tensor.</summary>
    /// <exception cref="DoriException">No such tensor.</exception>
    public string FileOf(string name) => Holder(name).File.Path;

    private Source Holder(string name) =>
        _sourceOf.TryGetValue(name, out Source? source) ? source :
            throw new DoriException($"the weights in {Folder} have no tensor '{SafetensorsFile.Shown(name)}'");

    public void Dispose()
    {
        foreach (SafetensorsFile file in _files) file.Dispose();
    }
}
