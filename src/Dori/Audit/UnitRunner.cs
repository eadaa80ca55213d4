using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>What a unit leaves behind besides its record. Disposing it frees the tensors.</summary>
/// <param name="Embeddings">One row by step; empty for start <c>prompt</c>.</param>
/// <param name="Pictures">(n, 3, H, W) in [0, 1]: the generations after the last step.</param>
internal sealed record UnitResult(UnitRecord Record, IReadOnlyList<(int Step, Conditioning Y)> Embeddings, Tensor Pictures) : IDisposable
{
    public void Dispose()
    {
        Pictures.Dispose();
        foreach ((int _, Conditioning y) in Embeddings) y.Dispose();
    }
}

/// <summary>Computes units: search, generate, compare. Reading only shared state that never changes, it serves several threads at
/// once.</summary>
/// <param name="search">Null: the published one.</param>
internal sealed class UnitRunner(DiffusionModel model, ICopyDetector detector, AuditOptions options, ISearch? search = null)
{
    private readonly GenerationOptions _generation = options.GenerationWith(model);

    private readonly ISearch _search = search ?? new DoriSearch(options.SearchOptions);

    /// <param name="onStep">Told the share of the unit that is done, 0 to 1.</param>
    /// <exception cref="DoriException">A picture that cannot be read.</exception>
    public UnitResult Run(AuditUnit unit, Action<double>? onStep = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        Tensor originals = unit.Item.Originals(model.PictureSize); // (R, 3, S, S)
        Tensor references = detector.Describe(originals); // (R, D)
        Tensor? mirrored = options.Mirror ? detector.Describe(originals.flip(3)) : null;
        Conditioning yNull = model.Embed("");
        Tensor noise = Generation.Noise(model, unit.GenerationNoise(), options.Generations);

        IReadOnlyList<float> losses = [];
        IReadOnlyList<(int Step, Conditioning Y)> embeddings = [];
        if (unit.Start == AuditStart.Prompt)
            embeddings = [(0, model.Embed(unit.Item.Caption))];
        else
        {
            RandomSource random = unit.SearchNoise();
            Tensor targets = model.Encode(originals); // (R, 4, h, w)
            double share = 1.0 / (options.Steps + 1);
            SearchResult found =
                _search.Run(model, targets, Start(unit, random), random, (step, _) => onStep?.Invoke(step * share * 0.7), cancellation);
            (losses, embeddings) = (found.Losses, found.Snapshots);
        }

        var snapshots = new List<Snapshot>();
        Tensor? last = null;
        foreach ((int step, int count, bool final) in unit.Snapshots(options))
        {
            Conditioning y = embeddings.First(embedding => embedding.Step == step).Y;
            Tensor pictures = Generation.Pictures(model, y, yNull, noise.narrow(0, 0, count), _generation, cancellation);
            Tensor descriptors = detector.Describe(pictures); // (n, D)
            (float[] similarities, int[] mirrors) = Similarity.ToReferences(descriptors, references, mirrored);
            snapshots.Add(new Snapshot
            {
                Step = step,
                Similarities = similarities,
                Mirrored = mirrors,
                Diversity = (float)Similarity.Diversity(descriptors),
                Pictures = final ? [.. Enumerable.Range(0, count).Select(unit.PictureName)] : [],
            });
            if (final) last = pictures;
        }
        var record = new UnitRecord
        {
            Id = unit.Id,
            Item = unit.Item.Id,
            Files = unit.Item.Files,
            Caption = unit.Item.Caption,
            Kind = unit.Item.Kind,
            Role = unit.Item.Role,
            Start = unit.Start,
            Seed = unit.Seed,
            Losses = losses,
            Snapshots = snapshots,
        };
        IReadOnlyList<(int, Conditioning)> kept = unit.Start == AuditStart.Prompt ? []
            : [.. embeddings.Select(e => (e.Step, e.Y.DetachFromDisposeScope()))];
        return new UnitResult(record, kept, last!.DetachFromDisposeScope());
    }

    private Conditioning Start(AuditUnit unit, RandomSource random) => unit.Start switch
    {
        AuditStart.Caption => model.Embed(unit.Item.Caption),
        AuditStart.Other => model.Embed(unit.OtherCaption!),
        AuditStart.Random => model.RandomConditioning(random.Derive("start")),
        _ => throw new ArgumentOutOfRangeException(nameof(unit), unit.Start, "no search begins here"),
    };
}
