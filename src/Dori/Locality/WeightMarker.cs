using System.Globalization;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Mitigation;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>What a pruning method marks for one embedding. Marks once made are kept in a folder, a file each, so that an interrupted study goes on from them.</summary>
internal sealed class WeightMarker : IDisposable
{
    private readonly string _folder;
    private readonly Func<Conditioning, CancellationToken, WeightMask> _mark;
    private readonly Action _dispose;
    private readonly DiffusionModel _model;

    private WeightMarker(string method, string settings, DiffusionModel model, string folder, Func<Conditioning, CancellationToken, WeightMask> mark, Action dispose) =>
        (Method, Settings, _model, _folder, _mark, _dispose) = (method, settings, model, folder, mark, dispose);

    public string Method { get; }
    /// <summary>What decides the marks, besides the model and the embedding.</summary>
    public string Settings { get; }

    public static WeightMarker Wanda(DiffusionModel model, GenerationOptions generation, double sparsity, long seed, string folder)
    {
        int calls = Sampler.Timesteps(generation.Scheduler, generation.Steps).Length;
        var options = new WandaOptions { Generation = generation, Sparsity = sparsity, Seed = seed, Steps = Math.Min(10, calls) };
        Tensor noise = Mitigation.Wanda.Noise(model, options);
        Conditioning yNull = model.Embed("");
        WandaNorms? empty = null;
        return new WeightMarker("Wanda", string.Create(CultureInfo.InvariantCulture, $"{sparsity} of a row, {options.Steps} steps, {options.Latents} latents"), model, folder, (y, cancellation) =>
        {
            empty ??= Mitigation.Wanda.RecordEmpty(model, yNull, noise, options, cancellation);
            return Mitigation.Wanda.Mark(model.UNet, Mitigation.Wanda.Record(model, y, yNull, noise, options, cancellation), empty, sparsity);
        }, () =>
        {
            noise.Dispose();
            yNull.Dispose();
        });
    }

    /// <param name="heldOut">Captions of pictures that are not memorized; 2 at least</param>
    public static WeightMarker Nemo(DiffusionModel model, IReadOnlyList<string> heldOut, long seed, string folder)
    {
        Nemo? nemo = null; // measuring its threshold takes a while, and is not needed where all marks are there
        string captions = Sha256Text.Short(string.Join('\n', heldOut));
        return new WeightMarker("NeMo", $"{heldOut.Count} held-out captions ({captions})", model, folder, (y, cancellation) =>
        {
            if (nemo is null)
            {
                using var scope = NewDisposeScope();
                nemo = new Nemo(model, [.. heldOut.Select(caption => model.Embed(caption))], new NemoOptions { Seed = seed }, cancellation: cancellation);
            }
            NemoFinding finding = nemo.Find(y, cancellation);
            return Mitigation.Nemo.Mask(model.UNet, finding.Selected?.Refined ?? NemoNeurons.None(Mitigation.Nemo.Layers(model.UNet).Count));
        }, () => nemo?.Dispose());
    }

    /// <summary>Marks for an embedding; from the folder where it was marked for before.</summary>
    /// <param name="key">The embedding's name: safe as a file's.</param>
    /// <param name="y">One row</param>
    public WeightMask Mark(string key, Conditioning y, CancellationToken cancellation)
    {
        string path = Path.Combine(_folder, $"{Method}-{key}.safetensors");
        if (File.Exists(path) && Read(path) is { } known) return known;
        using var scope = NewDisposeScope();
        WeightMask mask = _mark(y, cancellation);
        AtomicFile.MakeFolder(_folder);
        // Places of the marked weights, row by row: a small share of the layer, so that they are fewer bytes than a mask.
        SafetensorsWriter.Write(path, [.. mask.Layers.Select(layer => (layer.Layer, layer.ToTensor().reshape(-1).nonzero().reshape(-1)))], new Dictionary<string, string> { ["settings"] = Settings });
        return mask;
    }

    private WeightMask? Read(string path)
    {
        using var scope = NewDisposeScope();
        using SafetensorsFile file = SafetensorsFile.Open(path);
        if (!file.Metadata.TryGetValue("settings", out string? settings) || settings != Settings) return null;
        IReadOnlyList<(string Name, Models.Linear Layer)> layers = Method == "Wanda" ? Mitigation.Wanda.Layers(_model.UNet) : Mitigation.Nemo.Layers(_model.UNet);
        return new WeightMask([.. layers.Select(layer =>
        {
            (long rows, long columns) = (layer.Layer.weight.shape[0], layer.Layer.weight.shape[1]);
            var marked = new bool[rows * columns];
            foreach (long place in file.Read(layer.Name).data<long>()) marked[place] = true;
            return LayerMask.Of(layer.Name, tensor(marked, [rows, columns]));
        })]);
    }

    public void Dispose() => _dispose();
}
