using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Mitigation;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>
/// What a method marks for one embedding. Marks once made are kept in a folder, a file each, so that an interrupted study goes on from
/// them.
/// </summary>
/// <param name="marking">Owned.</param>
internal sealed class WeightMarker(IMarking marking, string folder) : IDisposable
{
    public string Method => marking.Name;
    /// <summary>What decides the marks, besides the model and the embedding.</summary>
    public string Settings => marking.Settings;

    /// <summary>Marks for an embedding; from the folder where it was marked for before.</summary>
    /// <param name="key">The embedding's name: safe as a file's.</param>
    /// <param name="y">One row</param>
    public WeightMask Mark(string key, Conditioning y, CancellationToken cancellation)
    {
        string path = Path.Combine(folder, $"{Method}-{key}.safetensors");
        if (File.Exists(path) && Read(path) is { } known) return known;
        using var scope = NewDisposeScope();
        WeightMask mask = marking.Mark([y], cancellation).Mask;
        AtomicFile.MakeFolder(folder);
        // Places of the marked weights, row by row: a small share of the layer, so that they are fewer bytes than a mask.
        SafetensorsWriter.Write(path, [.. mask.Layers.Select(layer => (layer.Layer, layer.ToTensor().reshape(-1).nonzero().reshape(-1)))],
            new Dictionary<string, string> { ["settings"] = Settings });
        return mask;
    }

    private WeightMask? Read(string path)
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!file.Metadata.TryGetValue("settings", out string? settings) || settings != Settings) return null;
        return new WeightMask([.. marking.Layers.Select(layer =>
        {
            (long rows, long columns) = (layer.Layer.weight.shape[0], layer.Layer.weight.shape[1]);
            var marked = new bool[rows * columns];
            foreach (long place in file.Read(layer.Name).data<long>()) marked[place] = true;
            return LayerMask.Of(layer.Name, tensor(marked, [rows, columns]));
        })]);
    }

    public void Dispose() => marking.Dispose();
}
