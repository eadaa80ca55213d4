using System.Globalization;
using System.Text.Json.Nodes;
using Dori.Diffusion;
using Dori.Models;
using static TorchSharp.torch;

namespace Dori.Mitigation;

/// <summary><see cref="Wanda"/>'s marks. Conditions that are marked for together have their norms pooled first.</summary>
internal sealed class WandaMarking : IMarking
{
    private readonly DiffusionModel _model;
    private readonly WandaOptions _options;
    private readonly Tensor _noise;
    private readonly Conditioning _yNull;
    private WandaNorms? _empty;

    /// <exception cref="DoriException">A value out of range.</exception>
    public WandaMarking(DiffusionModel model, WandaOptions options)
    {
        options.Check();
        (_model, _options) = (model, options);
        // All conditions, the empty one too, start from the same noise: what differs between X and X0 is then the condition's doing.
        (_noise, _yNull) = (Wanda.Noise(model, options).DetachFromDisposeScope(), model.EmbedNothing().DetachFromDisposeScope());
    }

    public string Name => "Wanda";
    public string Settings =>
        string.Create(CultureInfo.InvariantCulture, $"{_options.Sparsity} of a row, {_options.Steps} steps, {_options.Latents} latents");
    public JsonObject Options => MitigationJson.Object(WandaSettings.Of(_options), MitigationJson.Default.WandaSettings);
    public IReadOnlyList<(string Name, Linear Layer)> Layers => Wanda.Layers(_model.UNet);

    public Marked Mark(IReadOnlyList<Conditioning> conditions, CancellationToken cancellation = default)
    {
        if (conditions.Count == 0) throw new DoriException("Wanda: no prompts are given");
        _empty ??= Wanda.RecordEmpty(_model, _yNull, _noise, _options, cancellation);
        var norms = WandaNorms.Pool([.. conditions.Select(y => Wanda.Record(_model, y, _yNull, _noise, _options, cancellation))]);
        return new Marked(Wanda.Mark(_model.UNet, norms, _empty, _options.Sparsity));
    }

    public void Dispose()
    {
        _noise.Dispose();
        _yNull.Dispose();
    }
}

/// <summary>Of a record.</summary>
/// <param name="Steps">Calls of the UNet whose marks were united.</param>
/// <param name="Latents">Sampled from each prompt.</param>
/// <param name="Pool">Prompts whose norms were accumulated before marking.</param>
/// <param name="Sampler">The scheduler's class.</param>
internal sealed record WandaSettings(double Sparsity, int Steps, int Latents, int Pool, double Guidance, string Sampler, int SamplerSteps)
{
    public static WandaSettings Of(WandaOptions options) => new(options.Sparsity, options.Steps, options.Latents, options.Pool,
        options.Generation.Guidance, options.Generation.Scheduler.ClassName, options.Generation.Steps);
}
