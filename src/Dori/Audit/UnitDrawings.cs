using Dori.Diffusion;
using Dori.Measures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>
/// What a unit's embeddings generate, compared with the unit's pictures. All steps use the same noise, so that they compare in pairs.
/// </summary>
internal sealed class UnitDrawings : IDisposable
{
    private readonly DiffusionModel _model;
    private readonly ICopyDetector _detector;
    private readonly GenerationOptions _generation;
    private readonly Tensor _references, _noise; // (R, D); (n, 4, h, w)
    private readonly Tensor? _mirrored; // (R, D)
    private readonly Conditioning _yNull;
    private readonly SortedDictionary<int, Snapshot> _snapshots = [];
    private Tensor? _pictures; // (n, 3, H, W), of the latest step
    private (int Step, float Similarity, Tensor Picture)? _best; // (3, H, W)

    /// <param name="originals">(R, 3, S, S) in [0, 1]: the unit's pictures</param>
    public UnitDrawings(DiffusionModel model, ICopyDetector detector, AuditOptions options, AuditUnit unit, Tensor originals)
    {
        (_model, _detector, _generation) = (model, detector, options.GenerationWith(model));
        _references = detector.Describe(originals);
        _mirrored = options.Mirror ? detector.Describe(originals.flip(3)) : null;
        _yNull = model.EmbedNothing();
        _noise = Generation.Noise(model, unit.GenerationNoise(), options.Generations);
    }

    /// <summary>Draws once after every step.</summary>
    /// <param name="count">Pictures to draw.</param>
    /// <param name="y">The embedding after so many steps: one row</param>
    /// <returns>The best similarity.</returns>
    public double After(int step, int count, Conditioning y, CancellationToken cancellation)
    {
        if (_snapshots.TryGetValue(step, out Snapshot? known)) return known.Best;
        using var scope = NewDisposeScope();
        Tensor pictures = Generation.Pictures(_model, y, _yNull, _noise.narrow(0, 0, count), _generation, cancellation);
        Tensor descriptors = _detector.Describe(pictures); // (n, D)
        (float[] similarities, int[] mirrors) = Similarity.ToReferences(descriptors, _references, _mirrored);
        var snapshot = new Snapshot
        {
            Step = step,
            Similarities = similarities,
            Mirrored = mirrors,
            Diversity = (float)Similarity.Diversity(descriptors),
        };
        KeepBest(snapshot, pictures);
        if (_snapshots.Count == 0 || step > _snapshots.Keys.Max())
        {
            _pictures?.Dispose();
            _pictures = pictures.DetachFromDisposeScope();
        }
        _snapshots.Add(step, snapshot);
        return snapshot.Best;
    }

    private void KeepBest(Snapshot snapshot, Tensor pictures)
    {
        if (_best is { } before && before.Similarity >= snapshot.Best) return;
        _best?.Picture.Dispose();
        int best = Enumerable.Range(0, snapshot.Similarities.Count).MaxBy(i => snapshot.Similarities[i]);
        _best = (snapshot.Step, snapshot.Best, pictures[best].clone().DetachFromDisposeScope());
    }

    /// <summary>Ascending by step; the last names the pictures that are kept.</summary>
    /// <param name="name">Of the k-th.</param>
    public IReadOnlyList<Snapshot> Snapshots(Func<int, string> name)
    {
        Snapshot last = _snapshots.Values.Last();
        return [.. _snapshots.Values.SkipLast(1), last with { Pictures = [.. last.Similarities.Select((_, k) => name(k))] }];
    }

    /// <summary>(n, 3, H, W) in [0, 1]: what was drawn after the last step. The caller disposes it.</summary>
    public Tensor TakePictures()
    {
        Tensor pictures = _pictures!;
        _pictures = null;
        return pictures;
    }

    /// <summary>
    /// (3, H, W) in [0, 1]: the picture that decides, where it was drawn after an earlier step than the last; else null. The caller
    /// disposes it.
    /// </summary>
    public Tensor? TakeBest()
    {
        if (_best is not { } best || best.Step == _snapshots.Keys.Max()) return null;
        _best = null;
        return best.Picture;
    }

    public void Dispose()
    {
        _pictures?.Dispose();
        _best?.Picture.Dispose();
    }
}
