using Dori.Diffusion;
using Dori.Measures;
using Dori.Search;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Audit;

/// <summary>What a unit leaves behind besides its record. Disposing it frees the tensors.</summary>
/// <param name="Embeddings">One row by step; empty for start <c>prompt</c>.</param>
/// <param name="Pictures">(n, 3, H, W) in [0, 1]: the generations after the last step.</param>
/// <param name="Best">(3, H, W) in [0, 1]: the best of all, where it is not among these; else null.</param>
internal sealed record UnitResult(UnitRecord Record, IReadOnlyList<(int Step, Conditioning Y)> Embeddings, Tensor Pictures,
    Tensor? Best = null) : IDisposable
{
    public void Dispose()
    {
        Pictures.Dispose();
        Best?.Dispose();
        foreach ((int _, Conditioning y) in Embeddings) y.Dispose();
    }
}

/// <summary>Computes units: search, generate, compare. Reading only shared state that never changes, it serves several threads at
/// once.</summary>
/// <param name="search">Null: the published one.</param>
internal sealed class UnitRunner(DiffusionModel model, ICopyDetector detector, AuditOptions options,
    Func<AuditUnit, ISearch>? search = null)
{
    private readonly Func<AuditUnit, ISearch> _search = search ?? (_ => new DoriSearch(options.SearchOptions));

    /// <param name="bar">
    /// Similarity above which the unit has shown all that its picture's verdict needs, and ends (<see cref="StopRule"/>); null: it runs to
    /// its end.
    /// </param>
    /// <param name="onStep">Told the share of the unit that is done, 0 to 1.</param>
    /// <exception cref="DoriException">A picture that cannot be read.</exception>
    public UnitResult Run(AuditUnit unit, double? bar = null, Action<double>? onStep = null, CancellationToken cancellation = default)
    {
        using var scope = NewDisposeScope();
        Tensor originals = unit.Item.Originals(model.PictureSize); // (R, 3, S, S)
        using var drawings = new UnitDrawings(model, detector, options, unit, originals);
        IReadOnlyList<float> losses = [];
        IReadOnlyList<(int Step, Conditioning Y)> embeddings;
        if (unit.Start == AuditStart.Prompt)
            embeddings = [(0, model.Embed(unit.Item.Caption))];
        else
        {
            RandomSource random = unit.SearchNoise();
            Tensor targets = model.Encode(originals); // (R, 4, h, w)
            double share = 1.0 / (options.Steps + 1);
            SearchResult found = _search(unit).Run(model, targets, Start(unit, random), random,
                (step, _) => onStep?.Invoke(step * share * 0.7), bar is null ? null : Enough, cancellation);
            (losses, embeddings) = (found.Losses, found.Snapshots);
        }
        int? stopped = bar is not null && embeddings[^1].Step is var last && last < options.Steps ? last : null;
        foreach ((int step, int count, bool _) in unit.Snapshots(options, stopped))
            drawings.After(step, count, embeddings.First(embedding => embedding.Step == step).Y, cancellation);
        IReadOnlyList<(int, Conditioning)> kept = unit.Start == AuditStart.Prompt ? []
            : [.. embeddings.Select(e => (e.Step, e.Y.DetachFromDisposeScope()))];
        return new UnitResult(Record(unit, losses, drawings.Snapshots(unit.PictureName)), kept, drawings.TakePictures(),
            drawings.TakeBest());

        bool Enough(int step, Conditioning y)
        {
            int count = unit.Snapshots(options).FirstOrDefault(snapshot => snapshot.Step == step && !snapshot.Last).Generations;
            return count > 0 && drawings.After(step, count, y, cancellation) > bar; // 0: not looked at here
        }
    }

    private static UnitRecord Record(AuditUnit unit, IReadOnlyList<float> losses, IReadOnlyList<Snapshot> snapshots) => new()
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

    private Conditioning Start(AuditUnit unit, RandomSource random) => unit.Start switch
    {
        AuditStart.Caption => model.Embed(unit.Item.Caption),
        AuditStart.Other => model.Embed(unit.OtherCaption!),
        AuditStart.Random => model.RandomConditioning(random.Derive("start")),
        _ => throw new ArgumentOutOfRangeException(nameof(unit), unit.Start, "no search begins here"),
    };
}
