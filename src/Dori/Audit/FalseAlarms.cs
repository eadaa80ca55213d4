using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;

namespace Dori.Audit;

/// <summary>How often an audit of certain starts cries of pictures that the model has never seen.</summary>
/// <param name="Starts">By commas.</param>
/// <param name="Cry">"retained"; or "retained, this model alone", beside a reference.</param>
/// <param name="Expected">Of so many pictures: the sum of their shares of draws.</param>
/// <param name="Rate">Mean share; its interval is exact for independent pictures, whatever their shares.</param>
internal sealed record FalseAlarmRow(string Starts, string Cry, double Expected, Rate Rate);

/// <param name="Item">Of near-duplicates the first: they are one picture, as similar as the nearest.</param>
/// <param name="Similarity">Best over all starts and snapshots.</param>
/// <param name="Retained">Share of draws of controls beside which it is called retained, from all starts.</param>
/// <param name="ThisModelAlone">The same of <i>retained, this model alone</i>; null without a reference.</param>
internal sealed record FalseAlarmPicture(string Item, double Similarity, double PromptSimilarity, double Retained, double? ThisModelAlone);

/// <summary>
/// <c>false-alarms.json</c>: pictures that the model has certainly never seen, each judged as a suspect beside random draws of the others
/// as its controls. A pure function of a run's records.
/// </summary>
internal sealed record FalseAlarms(string Schema, SummaryModel Model, string? Reference, string CopyDetector, double Threshold, int Steps,
    int Generations, int Pictures, int Draws, int ControlsEach, IReadOnlyList<FalseAlarmRow> Rows, IReadOnlyList<FalseAlarmPicture> Items)
{
    public const string Alone = "retained, this model alone", Retained = "retained";

    /// <summary>A picture with what it scores from each set of starts.</summary>
    private sealed record Case(string Item, double[] Best, double[] Prompt, double? Difference, double Reference);

    /// <param name="units">All of them controls.</param>
    /// <param name="reference">Null: none.</param>
    /// <param name="draws">Of controls, for every picture.</param>
    /// <param name="controls">In every draw; fewer where there are not as many others.</param>
    /// <exception cref="DoriException">Too few pictures, or a model that cannot draw.</exception>
    public static FalseAlarms Of(Manifest manifest, IReadOnlyList<UnitRecord> units, ReferenceUnits? reference, int draws, int controls)
    {
        AuditOptions options = manifest.Options;
        if (manifest.Control is not { Holds: true })
            throw new DoriException($"{manifest.Model.Path}: its positive control does not hold: a model that cannot draw cries "
                + "of nothing");
        ReferenceSummary? contrast = ReferenceSummary.Of(manifest, ItemRecords.Of(manifest, units), reference);
        if (contrast?.Obstacle is { } obstacle) throw new DoriException($"false alarms beside a reference: {obstacle}");
        AuditStart[][] sets = options.Starts.Count == 1 ? [[.. options.Starts]]
            : [.. options.Starts.Select(start => new[] { start }), [.. options.Starts]];
        Case[] cases = [.. ItemRecords.Of(manifest, units).Where(item => item.Complete).GroupBy(item => item.Distinct)
            .Select(same => CaseOf([.. same], sets, contrast))];
        if (cases.Length <= Verdicts.ControlsNeeded)
            throw new DoriException($"{cases.Length} distinct pictures have been searched; a false alarm rate takes at least "
                + $"{Verdicts.ControlsNeeded + 1}: one to be judged and {Verdicts.ControlsNeeded} beside it");
        controls = Math.Min(controls, cases.Length - 1);

        var shares = new double[cases.Length, sets.Length + 1];
        for (int i = 0; i < cases.Length; i++)
        {
            RandomSource random = RandomSource.For("false alarms", cases[i].Item, $"{options.Seed}");
            int[] others = [.. Enumerable.Range(0, cases.Length).Where(j => j != i)];
            for (int d = 0; d < draws; d++)
            {
                Case[] drawn = Draw(random.Derive("draw", d), others, controls, cases);
                for (int s = 0; s < sets.Length; s++)
                    if (Cries(cases[i], drawn, s, options.Threshold)) shares[i, s] += 1.0 / draws;
                if (contrast is not null && Cries(cases[i], drawn, sets.Length - 1, options.Threshold)
                    && IsAlone(cases[i], drawn, options.Threshold)) shares[i, sets.Length] += 1.0 / draws;
            }
        }
        double[] Column(int s) => [.. Enumerable.Range(0, cases.Length).Select(i => Math.Min(1, shares[i, s]))];
        FalseAlarmRow Row(string starts, string cry, int s) => new(starts, cry, Column(s).Sum(), Statistics.BoundedMean(Column(s)));
        string[] names = [.. sets.Select(set => string.Join(',', set.Select(start => start.Text())))];
        return new FalseAlarms("dori.false-alarms/1", new SummaryModel(manifest.Model.Name, manifest.Model.Sha256), contrast?.Name,
            manifest.CopyDetector.Name, options.Threshold, options.Steps, options.Generations, cases.Length, draws, controls,
            [.. names.Select((name, s) => Row(name, Retained, s)), .. contrast is null ? [] : new[] { Row(names[^1], Alone, sets.Length) }],
            [.. cases.Select((c, i) => new FalseAlarmPicture(c.Item, c.Best[^1], c.Prompt[^1], Column(sets.Length - 1)[i],
                contrast is null ? null : Column(sets.Length)[i]))]);
    }

    private static Case CaseOf(ItemRecords[] same, AuditStart[][] sets, ReferenceSummary? contrast)
    {
        ReferencePicture[] theirs = contrast is null ? [] : [.. contrast.Pictures.Where(p => same.Any(item => item.Item.Id == p.Item))];
        double Best(Func<AuditStart, bool> filter) => same.Max(item => item.Best(filter).Similarity);
        return new Case(same[0].Distinct, [.. sets.Select(set => Best(set.Contains))],
            [.. sets.Select(set => Best(start => start == AuditStart.Prompt && set.Contains(start)))],
            theirs.Max(p => p.Difference), theirs.Select(p => p.Similarity).DefaultIfEmpty(1).Min());
    }

    /// <summary>Without replacement: the first of a shuffle.</summary>
    private static Case[] Draw(RandomSource random, int[] others, int count, Case[] cases)
    {
        int[] order = [.. others];
        for (int k = 0; k < count; k++)
        {
            int j = k + random.Next(order.Length - k);
            (order[k], order[j]) = (order[j], order[k]);
        }
        return [.. order.Take(count).Select(j => cases[j])];
    }

    private static bool Cries(Case item, Case[] controls, int set, double threshold) =>
        Verdicts.Retained(item.Best[set], Statistics.ConformalPValue(item.Best[set], [.. controls.Select(c => c.Best[set])]),
            item.Prompt[set], [.. controls.Select(c => c.Prompt[set])], threshold);

    private static bool IsAlone(Case item, Case[] controls, double threshold) => item.Best[^1] > threshold && item.Reference <= threshold
        && item.Difference is { } d && Statistics.ConformalPValue(d, [.. controls.Select(c => c.Difference!.Value)]) <= Verdicts.Level;

    public string ToJson() => JsonSerializer.Serialize(this, FalseAlarmsJson.Default.FalseAlarms);
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(FalseAlarms))]
internal sealed partial class FalseAlarmsJson : JsonSerializerContext;
