using Dori.Audit;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Locality;

/// <summary>All that a study found.</summary>
/// <param name="Maps">By picture, then of all triggers.</param>
/// <param name="Activations">By layer, in the summary's order: triggers by picture, other pictures' triggers, the triggers' starts,
/// captions.</param>
internal sealed record LocalityOutcome(LocalitySummary Summary, IReadOnlyList<EmbeddingMap> Maps,
    IReadOnlyList<DistanceMatrix> Activations);

/// <summary>From finished searches to the three chapters (method.md section 6).</summary>
internal sealed class LocalityStudy(DiffusionModel model, RunFolder searches, PictureSet set, LocalityPlan plan)
{
    private const int FewestCaptions = 3;

    /// <summary>The third chapter, from the pictures' triggers; null leaves it out.</summary>
    public Func<IReadOnlyList<SearchedPicture>, IReadOnlyList<string>, WeightSpace>? Weights { get; init; }

    /// <param name="progress">Told the chapter and the share of it that is done.</param>
    /// <exception cref="DoriException">Too few captions to compare with, or a search's files are damaged.</exception>
    public LocalityOutcome Run(Action<string, double>? progress = null, CancellationToken cancellation = default)
    {
        Manifest manifest = searches.Manifest;
        AuditOptions options = manifest.Options;
        using var scope = NewDisposeScope();
        SearchedPicture[] pictures =
            [.. plan.Items.Select(item => SearchedPicture.Read(searches, plan, item, options.Seed, options.Threshold))];
        SearchedPicture[] others =
            [.. plan.Others.Select(item => SearchedPicture.Read(searches, plan, item, options.Seed, options.Threshold))];
        try
        {
            var warnings = new List<string>();
            string[] untrained = Captions(item => item.Role == PictureRole.Control, "not trained on", warnings),
                audited = Captions(item => item.Role != PictureRole.Control, "to be audited", warnings);
            if (plan.Items.Count + plan.Others.Count == 1)
                warnings.Add(
                "One picture was searched for: what triggers of different pictures look like is not known, and the comparisons with them "
                + "are missing.");
            foreach (SearchedPicture p in pictures.Where(p => p.Triggers.Length < InputSpaceTest.FewestTriggers))
                warnings.Add(
                    $"{p.Item.Id}: {p.Triggers.Length} of {p.Units.Count} searches bring the picture back; {InputSpaceTest.FewestTriggers} "
                    + $"are needed, so it stays out of the statistics.");
            if (pictures.Any(p => p.Triggers.Length is >= InputSpaceTest.FewestTriggers and < 10))
                warnings.Add(
                    "Some pictures have fewer than 10 triggers: their intervals are wide, and a test of few can only find what is gross.");

            (InputSpace input, IReadOnlyList<EmbeddingMap> maps) = InputSpaceTest.Run(pictures, others, Embed(untrained), options.Seed);
            progress?.Invoke("input space", 1);
            (ActivationSpace activation, IReadOnlyList<DistanceMatrix> distances) =
                ActivationSpaceTest.Run(model, pictures, others, Embed(audited), options.GenerationWith(model), options.Seed,
                    share => progress?.Invoke("activation space", share), cancellation);
            WeightSpace? weight = Weights?.Invoke(pictures, audited);
            var summary = new LocalitySummary
            {
                Model = new SummaryModel(manifest.Model.Name, manifest.Model.Sha256),
                CopyDetector = manifest.CopyDetector.Name,
                Threshold = options.Threshold,
                Mirror = options.Mirror,
                Searches = plan.Searches,
                Steps = options.Steps,
                Generations = options.Generations,
                Seed = options.Seed,
                Pictures = [.. pictures.Select(p => Describe(p, other: false)), .. others.Select(p => Describe(p, other: true))],
                Input = input with { Verdict = Judged(input.Verdict, manifest.Control) },
                Activation = activation with { Verdict = Judged(activation.Verdict, manifest.Control) },
                Weight = weight is null ? null : weight with { Verdict = Judged(weight.Verdict, manifest.Control) },
                Warnings = warnings,
            };
            return new LocalityOutcome(summary, maps, distances);
        }
        finally
        {
            foreach (SearchedPicture picture in (SearchedPicture[])[.. pictures, .. others]) picture.Dispose();
        }
    }

    private static LocalityVerdict Judged(LocalityVerdict verdict, PositiveControl? control) => control is { Holds: true } ? verdict
        : verdict with
        {
            Outcome = LocalityVerdict.NotJudged,
            Sentence = $"Nothing is concluded: the positive control {control?.InOneLine ?? "is not recorded"}.",
        };

    private static LocalityPicture Describe(SearchedPicture p, bool other) =>
        new(p.Item.Id, p.Item.Files[0], p.Item.Caption, p.Item.Kind.Text(), p.Units.Count, p.Triggers.Length,
        Statistics.Spread(p.Units.Select(u => (double)u.Snapshots[^1].Best)),
            Statistics.Spread(p.Units.Select(u => (double)u.Snapshots[0].Best)), other);

    /// <summary>As many captions as there are searches, of different pictures of one role; of any role where there are too few.</summary>
    private string[] Captions(Func<PictureItem, bool> role, string name, List<string> warnings)
    {
        static IEnumerable<string> Distinct(IEnumerable<PictureItem> items) =>
            items.Select(item => item.Caption).Where(caption => caption.Length > 0).Distinct();
        string[] captions = [.. Distinct(set.Items.Where(role)).Take(plan.Searches)];
        if (captions.Length >= FewestCaptions) return captions;
        string[] any = [.. Distinct(set.Items).Take(Math.Max(plan.Searches, FewestCaptions))];
        if (any.Length < FewestCaptions)
            throw new DoriException(
            $"locality: the picture set has {any.Length} different captions; {FewestCaptions} at least are needed "
            + "to compare triggers with");
        warnings.Add($"The picture set has {captions.Length} captions of pictures {name}; captions of any picture stand in.");
        return any;
    }

    /// <returns>N rows, on the CPU</returns>
    private Conditioning Embed(string[] captions)
    {
        using var scope = NewDisposeScope();
        return Conditioning.Cat([.. captions.Select(caption => model.Embed(caption).To(CPU))]).MoveToOuterDisposeScope();
    }
}
