using System.Text.Json.Serialization;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Measures;
using Dori.Pictures;

namespace Dori.Audit;

/// <summary><c>manifest.json</c>: what was asked, of what, by which program, on what kind of machine.</summary>
internal sealed record Manifest
{
    /// <summary>What this program writes.</summary>
    public const string Current = "dori.manifest/2";
    /// <summary>Of older versions, whose units carry no key.</summary>
    public const string Unbound = "dori.manifest/1";

    public string Schema { get; init; } = Current;
    /// <summary>Version of the program.</summary>
    public required string Version { get; init; }
    /// <summary>The command line that made the run, or last changed its pictures.</summary>
    public required string Command { get; init; }
    public required ManifestModel Model { get; init; }
    public required ManifestPictures Pictures { get; init; }
    public required ManifestDetector CopyDetector { get; init; }
    public required AuditOptions Options { get; init; }
    public required ManifestMachine Machine { get; init; }
    /// <summary>
    /// Other kinds of machines, of shards that were merged although they were computed there; absent where there are none.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<ManifestMachine>? OtherMachines { get; init; }
    /// <summary>Taken before the first unit; null where it has not been yet, and in runs of older versions.</summary>
    public PositiveControl? Control { get; init; }
    /// <summary>
    /// The ancestor that is expected to hold the pictures and is searched in the same way; absent where none was named. What it gives back
    /// stands in the summary, from its own units.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ManifestModel? Original { get; init; }
    /// <summary>
    /// A model that is expected not to hold the pictures and is searched in the same way, controls too; absent where none was named.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public ManifestModel? Reference { get; init; }
    /// <summary>
    /// Ids of pictures that the copy detector takes for one; null until they are looked for, and in runs of older versions.
    /// </summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public IReadOnlyList<IReadOnlyList<string>>? NearDuplicates { get; init; }
    /// <summary>
    /// What was read otherwise than model, pictures or captions say it, or was lost on the way in: one sentence each, shown in the
    /// report.
    /// </summary>
    public IReadOnlyList<string> Notes { get; init => field = value ?? []; } = []; // absent in older versions

    /// <summary>Of everything else in it (<see cref="RecordDigest"/>); null in runs of older versions, and until it is written.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Digest { get; init; }

    internal static Manifest Of(Checkpoint checkpoint, PictureSet set, TorchScriptCopyDetector detector, AuditOptions options,
        Machine machine, Workers workers, string command) => new()
    {
        Version = ProgramVersion.Text,
        Command = command,
        Model = ManifestModel.Of(checkpoint),
        Pictures = ManifestPictures.Of(set),
        CopyDetector =
            new ManifestDetector(detector.Preset.Name, detector.Sha256, detector.Preset.Threshold, detector.Preset.TransformSha256),
        Options = options,
        Machine = ManifestMachine.Of(machine, workers),
    };

    /// <summary>Whether the run's units say what they were computed from.</summary>
    internal bool Bound => Schema == Current;

    /// <exception cref="DoriException">It is the model under audit itself.</exception>
    internal Manifest WithOriginal(ManifestModel original) => original.Sha256 != Model.Sha256 ? this with { Original = original }
        : throw new DoriException($"{original.Path}: the original is the model under audit itself (the same SHA-256 of its weights and "
            + "configs); name the ancestor that it was made from, which is expected to hold the pictures");

    /// <exception cref="DoriException">It is the model under audit itself, or the original.</exception>
    internal Manifest WithReference(ManifestModel reference) => reference.Sha256 == Model.Sha256
        ? throw new DoriException($"{reference.Path}: the reference is the model under audit itself (the same SHA-256 of its weights and "
            + "configs); name one that cannot hold the pictures: its base, or an earlier checkpoint")
        : reference.Sha256 == Original?.Sha256
        ? throw new DoriException($"{reference.Path}: one model is named as `Original` and as `Reference`; the original is expected to "
            + "hold the pictures, the reference not to: leave one of the two out")
        : this with { Reference = reference };

    internal ManifestModel? ModelOf(Beside which) => which == Beside.Original ? Original : Reference;

    /// <summary>What the run in <c>original/</c> or <c>reference/</c> is: the same, of that model. Null where none was named.</summary>
    internal Manifest? Of(Beside which) => ModelOf(which) is not { } model ? null
        : this with { Model = model, Original = null, Reference = null, Control = null, Notes = [],
            // A reference that stopped early would look as if it gave less back than it does.
            Options = which == Beside.Reference ? Options with { StopAtVerdict = false } : Options };

    /// <summary>
    /// What differs between two manifests of which none of one's units can stand among the other's; null where nothing does. The pictures
    /// are not asked: a unit's key says whether it is still its picture's.
    /// </summary>
    /// <param name="anyMachine">Whether units of another kind of machine may stand among these.</param>
    public string? Conflict(Manifest other, bool anyMachine = false)
    {
        (string Name, string Here, string There)[] deciding =
        [
            ("schema", Schema, other.Schema),
            ("model (SHA-256)", Model.Sha256, other.Model.Sha256),
            ("copy detector (SHA-256)", CopyDetector.Sha256, other.CopyDetector.Sha256),
            ("copy detector preset", CopyDetector.Name, other.CopyDetector.Name),
            ("copy detector preset (SHA-256)", CopyDetector.TransformSha256, other.CopyDetector.TransformSha256),
            ("`Starts`", StartsText, other.StartsText),
            ("`Curve`", string.Join(',', Options.CurveSteps), string.Join(',', other.Options.CurveSteps)),
            ("mirror images", Options.Mirror ? "counted" : "not counted (`NoMirror`)",
                other.Options.Mirror ? "counted" : "not counted (`NoMirror`)"),
            .. anyMachine ? Array.Empty<(string, string, string)>() :
            [("device", Machine.Kind, other.Machine.Kind), ("dtype", Machine.Dtype, other.Machine.Dtype),
            ("threads a unit", Machine.ThreadsText, other.Machine.ThreadsText)],
        ];
        foreach ((string name, string here, string there) in deciding)
            if (here != there) return $"{name}: {there} there, {here} here";
        AuditOptions theirs = other.Options with { Starts = Options.Starts, CurveSteps = Options.CurveSteps };
        return theirs == Options ? null : $"options: {theirs} there, {Options} here";
    }

    /// <summary>The same, with units of another's machines among its own.</summary>
    internal Manifest WithMachinesOf(Manifest other)
    {
        ManifestMachine[] others = [.. OtherMachines ?? [], other.Machine, .. other.OtherMachines ?? []];
        others = [.. others.Where(machine => machine.InOneLine != Machine.InOneLine).DistinctBy(machine => machine.InOneLine)];
        return this with { OtherMachines = others.Length == 0 ? null : others };
    }

    private string StartsText => string.Join(',', Options.Starts.Select(start => start.Text()));

    /// <summary>Whether two manifests ask for the same pictures and say the same of them.</summary>
    internal bool SamePictures(Manifest other) => Pictures.Sha256 == other.Pictures.Sha256 && Pictures.ItemsKey == other.Pictures.ItemsKey;

    /// <summary>Whether the two have a picture in common, so that the one may be the other after changes to its pictures.</summary>
    internal bool SharesPicture(Manifest other)
    {
        var mine = Pictures.Items.SelectMany(item => item.Sha256).ToHashSet();
        return other.Pictures.Items.Any(item => item.Sha256.Any(mine.Contains));
    }

    /// <summary>What is wrong with the other models that it names; null where nothing is.</summary>
    internal string? BesideProblem() => Original?.Sha256 == Model.Sha256 ? "its original is the model itself"
        : Reference?.Sha256 == Model.Sha256 ? "its reference is the model itself"
        : Original is not null && Original.Sha256 == Reference?.Sha256 ? "its original and its reference are one model" : null;

    /// <summary>What a manifest from disk must not hold, in a few words; null where all is well.</summary>
    internal string? Problem()
    {
        if (Schema is not (Current or Unbound)) return $"its schema is {Schema}; this version reads {Current} and {Unbound}";
        if (Pictures.Items.Count == 0) return "it has no items";
        if (OtherMachines?.Contains(null!) == true) return "one of its machines is null";
        if (Pictures.Missing.Contains(null!) || Notes.Contains(null!)) return "a line of it is null";
        var ids = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
        foreach (ManifestItem item in Pictures.Items)
        {
            if (item is null) return "an item is null";
            if (!ItemIds.IsId(item.Id) || !ids.Add(item.Id)) return $"item \"{item.Id}\": not an id, or one that is there twice";
            if (item.Problem() is { } problem) return $"item {item.Id}: {problem}";
        }
        if (NearDuplicates?.Any(group => group is not { Count: > 1 } || group.Any(id => id is null || !ids.Contains(id))) == true)
            return "a group of near-duplicates is not of its items";
        if (BesideProblem() is { } beside) return beside;
        if (Control?.Problem() is { } wrong) return $"its positive control: {wrong}";
        try
        {
            Options.Check();
        }
        catch (DoriException e)
        {
            return e.Message;
        }
        return !Bound || RecordDigest.Fits(this) ? null : "it was changed after it was written: its digest is not its own";
    }
}
