using Dori.Diffusion;
using Dori.Pictures;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// What the positive control looks at: a few pictures of the set with their captions. Its tensors belong to the caller's dispose scope, and
/// it to one thread.
/// </summary>
internal sealed class ControlSample
{
    private const int Most = 12, Few = 8;
    /// <summary>Captions of nothing in particular, for sets that have too few of their own.</summary>
    private static readonly string[] s_generic = ["a red apple on a table", "two birds in the sky"];
    private readonly DiffusionModel _model;
    private readonly int _batch;

    /// <summary>
    /// Ordinary pictures: controls, since a mitigated model is meant to fail on the audited ones; those too where there are few controls.
    /// </summary>
    /// <param name="batch">Latents that go through the UNet at once.</param>
    public static ControlSample Ordinary(DiffusionModel model, PictureSet set, int batch)
    {
        PictureItem[] controls = [.. set.Items.Where(item => item.Role == PictureRole.Control)];
        return new ControlSample(model, controls.Length >= Few ? controls : [.. controls, .. Audited(set)], batch);
    }

    /// <summary>The audited ones alone, for a model that draws nothing else any more; null where there are too few.</summary>
    /// <inheritdoc cref="Ordinary"/>
    public static ControlSample? OfHeld(DiffusionModel model, PictureSet set, int batch) =>
        Audited(set) is { Length: >= ControlLimits.HeldNeeded } audited ? new ControlSample(model, audited, batch) { Held = true } : null;

    private static PictureItem[] Audited(PictureSet set) => [.. set.Items.Where(item => item.Role != PictureRole.Control)];

    private ControlSample(DiffusionModel model, PictureItem[] all, int batch)
    {
        (_model, _batch) = (model, batch);
        int count = Math.Min(Most, all.Length);
        Items = [.. Enumerable.Range(0, count).Select(k => all[k * all.Length / count])];
        Pictures = cat([.. Items.Select(item => item.Originals(model.PictureSize).narrow(0, 0, 1))], 0);
        // one by one: memory as in a unit
        Latents = cat([.. Enumerable.Range(0, count).Select(k => model.Encode(Pictures.narrow(0, k, 1)))], 0);
        string[] captions = [.. Items.Select(item => item.Caption)];
        Captions = captions.Distinct().Count();
        Null = model.EmbedNothing();
        Own = model.Embed(captions);
        Other = model.Embed([.. captions.Select((own, k) =>
            captions.Skip(k + 1).Concat(captions.Take(k)).Concat(s_generic).First(caption => caption != own))]);
    }

    /// <summary>The audited pictures alone, of which much more is asked.</summary>
    public bool Held { get; private init; }
    public IReadOnlyList<PictureItem> Items { get; }
    /// <summary>(N, 3, S, S) in [0, 1]</summary>
    public Tensor Pictures { get; }
    /// <summary>(N, 4, h, w), scaled</summary>
    public Tensor Latents { get; }
    /// <summary>One row.</summary>
    public Conditioning Null { get; }
    /// <summary>A row a picture: its caption's.</summary>
    public Conditioning Own { get; }
    /// <summary>A row a picture: another one's caption.</summary>
    public Conditioning Other { get; }
    /// <summary>Different captions among the pictures'.</summary>
    public int Captions { get; }
    /// <summary>Latents that went through the UNet.</summary>
    public int Rows { get; private set; }

    /// <summary>The UNet's output, without gradients, a few rows at a time.</summary>
    /// <param name="noisy">(N, 4, h, w)</param>
    /// <param name="timesteps">(N), int64</param>
    /// <param name="y">N rows, or one</param>
    /// <param name="other">In place of the model.</param>
    public Tensor Predict(Tensor noisy, Tensor timesteps, Conditioning y, DiffusionModel? other = null)
    {
        using var scope = NewDisposeScope();
        using var noGrad = no_grad();
        var parts = new List<Tensor>();
        for (long at = 0; at < noisy.shape[0]; at += _batch)
        {
            long count = Math.Min(_batch, noisy.shape[0] - at);
            Conditioning rows = y.Count == 1 ? y : y.Narrow(at, count);
            parts.Add((other ?? _model).Predict(noisy.narrow(0, at, count), timesteps.narrow(0, at, count), rows));
        }
        Count((int)noisy.shape[0]);
        return cat(parts, 0).MoveToOuterDisposeScope();
    }

    /// <summary>Counts latents that went through the UNet.</summary>
    public void Count(int rows) => Rows += rows;
}
