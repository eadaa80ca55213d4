using System.Text.Json.Nodes;
using Dori.Diffusion;
using Dori.Models;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary>
/// <see cref="Nemo"/>'s marks: all weights of the neurons that it finds. Its threshold is measured when something is marked for first.
/// </summary>
/// <param name="heldOut">Captions of pictures that are not memorized; 2 at least</param>
/// <param name="onCaption">Told the number of captions that the threshold was measured on.</param>
internal sealed class NemoMarking(DiffusionModel model, IReadOnlyList<string> heldOut, NemoOptions options, Action<int>? onCaption = null)
    : IMarking
{
    private Nemo? _nemo;

    public string Name => "NeMo";
    public string Settings => $"{heldOut.Count} held-out captions ({Sha256Text.Short(string.Join('\n', heldOut))})";
    public JsonObject Options => MitigationJson.Object(
        new NemoSettings(options.Latents, _nemo?.Threshold ?? 0, _nemo?.ThresholdMeasured ?? false, heldOut.Count),
            MitigationJson.Default.NemoSettings);
    public IReadOnlyList<(string Name, Linear Layer)> Layers => Nemo.Layers(model.UNet);

    public Marked Mark(IReadOnlyList<Conditioning> conditions, CancellationToken cancellation = default)
    {
        if (_nemo is null)
        {
            using var scope = NewDisposeScope();
            _nemo = new Nemo(model, [.. heldOut.Select(caption => model.Embed(caption))], options, onCaption, cancellation);
        }
        NemoFinding[] found = [.. conditions.Select(y => _nemo.Find(y, cancellation))];
        NemoNeurons neurons = found.Select(f => f.Selected?.Refined).Aggregate(NemoNeurons.None(Layers.Count), (all, some) => some is null
            ? all : all.Union(some));
        return new Marked(Nemo.Mask(model.UNet, neurons),
            PrunedNeurons.Of(found[0], _nemo.Threshold)) { Skipped = found.All(f => f.Selected is null) };
    }

    public void Dispose() => _nemo?.Dispose();
}

/// <summary>Of a record.</summary>
/// <param name="ThresholdMeasured">From the held-out captions; otherwise published or given.</param>
/// <param name="HeldOutCaptions">How many the neurons' statistics rest on.</param>
internal sealed record NemoSettings(int Latents, double Threshold, bool ThresholdMeasured, int HeldOutCaptions);
