using System.Globalization;
using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary>
/// What the positive control found before the first unit: whether the instrument sees the pictures (eye), the model can draw (hand) and
/// captions matter to it (ear). Where it did not pass nothing is judged: a model that cannot draw would be called clean. In the manifest
/// and the summary; docs/verdicts.md.
/// </summary>
public sealed record PositiveControl
{
    /// <summary>Every figure within its limit.</summary>
    public required bool Passed { get; init; }
    /// <summary>Items that come back from the VAE as copies of themselves.</summary>
    public required int Seen { get; init; }
    /// <summary>Items looked at: the audited ones, or the controls where nothing else is in the set.</summary>
    public required int Looked { get; init; }
    /// <summary>Items that do not, by name: this instrument cannot find them.</summary>
    public required IReadOnlyList<UnseenItem> Unseen { get; init; }
    /// <summary>In the order of measuring; the last is the first that failed, where one did.</summary>
    public required IReadOnlyList<ControlFigure> Figures { get; init; }
    /// <summary>
    /// What failed on the set's controls, where hand and ear then passed on the audited pictures themselves, by tighter limits: an
    /// overtrained model draws nothing else. Absent where the controls passed.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ControlFigure>? OnControls { get; init; }
    /// <summary>Latents that went through the UNet: what it cost.</summary>
    public required int UNetRows { get; init; }

    internal const string Eye = "eye", Hand = "hand", Ear = "ear";

    /// <summary>Passed, by the figures too, with some of each part.</summary>
    [JsonIgnore]
    public bool Holds => Passed && !Failures.Any() && new[] { Eye, Hand, Ear }.All(part => Figures.Any(figure => figure.Part == part));

    [JsonIgnore] public IEnumerable<ControlFigure> Failures => Figures.Where(figure => !figure.Passed);

    /// <summary>"passed (eye 24 of 24, hand 24 of 24, ear 4 of 4)", or what failed and by how much.</summary>
    [JsonIgnore]
    public string InOneLine => Holds ? $"passed (eye {Seen} of {Looked}, hand {Within(Hand)}, ear {Within(Ear)}){Overtrained}{NotSeen}"
        : $"failed: {string.Join("; ", Failures.Select(figure => figure.Shown).DefaultIfEmpty("its record is not whole"))}";

    /// <summary>What to look at where it failed.</summary>
    [JsonIgnore]
    public string Advice => Failures.FirstOrDefault()?.Part switch
    {
        Eye => "look at vae/ (weights cut off or of another model, number type, norm_num_groups), at unet's sample_size and at `Threshold`",
        Ear => "look at text_encoder/, tokenizer/ and the UNet's cross-attention (attn2)",
        _ => "look at unet/ (weights cut off, number type, config.json), scheduler/ (prediction_type, betas) and vae's scaling_factor",
    };

    /// <summary>What one from disk must not hold; null where all is well.</summary>
    internal string? Problem()
    {
        bool hole = Unseen is null || Figures is null || Unseen.Any(item => item?.Item is null)
            || Figures.Concat(OnControls ?? []).Any(figure => figure?.Part is null || figure.Name is null);
        return hole ? "a part of it is null" : null;
    }

    private string Overtrained => OnControls is not [var first, ..] ? ""
        : $" on the audited pictures; on others it fails, as an overtrained model does: {first.Shown}";

    private string NotSeen => Unseen.Count == 0 ? ""
        : $"; not judged, since the VAE does not bring them back: {string.Join(", ", Unseen.Take(5).Select(item => item.Item))}"
            + (Unseen.Count > 5 ? ", ..." : "");

    private string Within(string part) => $"{Figures.Count(f => f.Part == part && f.Passed)} of {Figures.Count(f => f.Part == part)}";
}

/// <param name="Similarity">Of its nearest reconstruction; null where that holds values that are not numbers.</param>
public sealed record UnseenItem(string Item, double? Similarity);

/// <summary>One measured figure with its limit.</summary>
/// <param name="Part">eye, hand or ear.</param>
/// <param name="Name">What was measured, in words.</param>
/// <param name="Value">Rounded to three places; null where it is not a finite number, which fails.</param>
/// <param name="AtLeast">Smallest value that passes; null: none.</param>
/// <param name="AtMost">Largest value that passes; null: none.</param>
public sealed record ControlFigure(string Part, string Name, double? Value, double? AtLeast, double? AtMost)
{
    internal static ControlFigure Of(string part, string name, double value, double? atLeast = null, double? atMost = null) =>
        new(part, name, double.IsFinite(value) ? Math.Round(value, 3) : null, atLeast, atMost);

    [JsonIgnore] public bool Passed => Value is { } value && !(value < AtLeast) && !(value > AtMost);

    [JsonIgnore]
    public string Limit => (AtLeast, AtMost) switch
    {
        ({ } low, { } high) => $"{N(low)} to {N(high)}",
        ({ } low, null) => $"at least {N(low)}",
        (null, { } high) => $"at most {N(high)}",
        _ => "any",
    };

    [JsonIgnore] public string Shown => $"{Part}: {Name} {(Value is { } value ? N(value) : "is not a number")} ({Limit} wanted)";

    private static string N(double value) => value.ToString(Math.Abs(value) < 1e6 ? "0.###" : "g3", CultureInfo.InvariantCulture);
}
