using System.Globalization;
using System.Text.Json.Serialization;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>What a run holds of its reference.</summary>
/// <param name="Gains">By item.</param>
internal sealed record ReferenceUnits(BesideUnits Units, IReadOnlyDictionary<string, LikelihoodGain> Gains);

/// <summary>
/// The same items searched in the same way in a model that is expected not to hold them (docs/verdicts.md, "The reference"). It answers
/// the objection that a search can carry a picture by itself: then it would in both.
/// </summary>
internal sealed record ReferenceSummary
{
    public required string Name { get; init; }
    public required string Sha256 { get; init; }
    /// <summary>The reference's own positive control; null where none is recorded.</summary>
    public required PositiveControl? Control { get; init; }
    public required int MissingUnits { get; init; }
    /// <summary>Audited items that the audited model gives back.</summary>
    public required int GivenBack { get; init; }
    /// <summary>Of them, by answer.</summary>
    public required int ThisModelAlone { get; init; }
    public required int Both { get; init; }
    public required int Undecided { get; init; }
    /// <summary>Of them, those that the reference does not give back.</summary>
    public required int Pairs { get; init; }
    /// <summary>Controls with a difference: 19 are needed for a p-value.</summary>
    public required int Controls { get; init; }
    /// <summary>Audited items that the audited model copies after fewer search steps than the reference.</summary>
    public required int ThisModelFirst { get; init; }
    public required int ReferenceFirst { get; init; }
    /// <summary>Items that both copy after as many steps, or neither at all: dropped.</summary>
    public required int Ties { get; init; }
    /// <summary>Exact sign test, one-sided: that the audited model copies first so often where a coin decides which does.</summary>
    public required double SignPValue { get; init; }
    /// <summary>In the manifest's order, controls too.</summary>
    public required IReadOnlyList<ReferencePicture> Pictures { get; init; }

    /// <summary>What stands in its way, in a sentence without a full stop; null where nothing does.</summary>
    [JsonIgnore]
    public string? Obstacle => MissingUnits > 0 ? $"the reference's answer is not complete: {MissingUnits} of its units are missing"
        : Control is null ? "no positive control of the reference is recorded"
        : !Control.Holds ? $"the reference's positive control {Control.InOneLine}; a model that cannot draw gives nothing back whatever it "
            + "holds"
        : null;

    /// <summary>What it says of a picture; null where that is none of the run's.</summary>
    internal ReferencePicture? Of(PictureSummary picture) => Pictures.FirstOrDefault(of => of.Item == picture.Item);

    /// <summary>Answers, and which model copies first.</summary>
    [JsonIgnore]
    public string InOneLine => string.Create(CultureInfo.InvariantCulture,
        $"of {GivenBack} pictures that come back: {ThisModelAlone} from this model alone, {Both} from both, {Undecided} undecided; ")
        + string.Create(CultureInfo.InvariantCulture,
            $"copied first by this model {ThisModelFirst} times, by the reference {ReferenceFirst} times (exact sign test, ")
        + string.Create(CultureInfo.InvariantCulture, $"one-sided p {SignPValue:0.####}, {Ties} ties dropped)");

    /// <returns>Null where the manifest names no reference.</returns>
    /// <param name="items">The audited model's, in the manifest's order.</param>
    /// <param name="units">What is there; null: nothing.</param>
    internal static ReferenceSummary? Of(Manifest manifest, IReadOnlyList<ItemRecords> items, ReferenceUnits? units)
    {
        if (manifest.Of(Beside.Reference) is not { } other) return null;
        ItemRecords[] theirs = ItemRecords.Of(other, units?.Units.Records ?? []);
        bool sound = units?.Units.Control is { Holds: true };
        (ItemRecords Mine, ItemRecords Theirs)[] pairs = [.. items.Zip(theirs)];
        double[] controls = [.. pairs.Where(pair => pair.Mine.Counts).Select(pair => (pair.Mine.Distinct, D: Difference(pair)))
            .Where(pair => pair.D is not null).GroupBy(pair => pair.Distinct).Select(same => same.Max(pair => pair.D!.Value))];
        ReferencePicture[] pictures =
            [.. pairs.Select(pair => Picture(pair, controls, sound, manifest.Options.Threshold, units?.Gains.GetValueOrDefault(
                pair.Mine.Item.Id)))];
        var audited = pairs.Zip(pictures).Where(pair => !pair.First.Mine.IsControl).ToArray();
        int[] orders = [.. audited.Where(pair => pair.Second.Difference is not null).GroupBy(pair => pair.First.Mine.Distinct)
            .Select(same => Order(same.Min(pair => pair.First.Mine.FirstCopy(manifest.Options.Threshold)),
                same.Min(pair => pair.Second.StepsToFirstCopy)))];
        int first = orders.Count(order => order < 0), second = orders.Count(order => order > 0);
        int Count(ReferenceAnswer answer) => audited.Count(pair => pair.Second.Answer == answer);
        return new ReferenceSummary
        {
            Name = other.Model.Name,
            Sha256 = other.Model.Sha256,
            Control = units?.Units.Control,
            MissingUnits = theirs.Length * other.Options.Starts.Count - theirs.Sum(item => item.ByStart.Count),
            GivenBack = audited.Count(pair => pair.Second.Answer != ReferenceAnswer.None),
            ThisModelAlone = Count(ReferenceAnswer.ThisModelAlone),
            Both = Count(ReferenceAnswer.Both),
            Undecided = Count(ReferenceAnswer.Undecided),
            Pairs = audited.Count(pair => pair.Second.Pair),
            Controls = controls.Length,
            ThisModelFirst = first,
            ReferenceFirst = second,
            Ties = orders.Length - first - second,
            SignPValue = Statistics.SignTest(first, second),
            Pictures = pictures,
        };
    }

    /// <summary>Negative: the first comes first. No copy is later than any.</summary>
    private static int Order(int? steps, int? others) => (steps ?? int.MaxValue).CompareTo(others ?? int.MaxValue);

    /// <summary>D. A search that stopped at its verdict has a similarity that is too low, so that D is too small and errs to the larger
    /// p-value; the reference never stops.</summary>
    private static double? Difference((ItemRecords Mine, ItemRecords Theirs) pair) => pair.Mine.Complete && pair.Theirs.Complete
        ? pair.Mine.Best(_ => true).Similarity - pair.Theirs.Best(_ => true).Similarity : null;

    private static ReferencePicture Picture((ItemRecords Mine, ItemRecords Theirs) pair, double[] controls, bool sound, double threshold,
        LikelihoodGain? gain)
    {
        (double similarity, AuditStart? start, int step) = pair.Theirs.Best(_ => true);
        double? difference = Difference(pair);
        double? p = !pair.Mine.IsControl && sound && difference is { } d && controls.Length >= Verdicts.ControlsNeeded
            ? Statistics.ConformalPValue(d, controls) : null;
        bool back = pair.Mine.Best(_ => true).Similarity > threshold, alone = back && similarity <= threshold;
        ReferenceAnswer answer = pair.Mine.IsControl || !back ? ReferenceAnswer.None : similarity > threshold ? ReferenceAnswer.Both
            : p <= Verdicts.Level ? ReferenceAnswer.ThisModelAlone : ReferenceAnswer.Undecided;
        return new ReferencePicture(pair.Mine.Item.Id, similarity, start, step, pair.Theirs.FirstCopy(threshold), difference, p, answer,
            !pair.Mine.IsControl && sound && alone && pair.Theirs.Complete, gain?.Bits, gain?.StandardError);
    }

    /// <summary>What a reader must know of it, one sentence each.</summary>
    /// <param name="notes">What was read of it otherwise than it says.</param>
    internal IEnumerable<string> Warnings(IReadOnlyList<string> notes)
    {
        if (Obstacle is { } obstacle)
            yield return $"{char.ToUpperInvariant(obstacle[0])}{obstacle[1..]}: no picture is said to be this model's alone."
                + (MissingUnits > 0 ? " The command that made the run, with the reference, computes them." : "");
        if (Controls < Verdicts.ControlsNeeded)
            yield return $"Between this model and the reference nothing is judged: {Controls} controls were searched in both, and "
                + $"{Verdicts.ControlsNeeded} are needed. {Pairs} pictures come back from this model and not from the reference: evidence "
                + "by pairs, without a p-value.";
        foreach (string note in notes) yield return $"The reference: {note}";
    }
}
