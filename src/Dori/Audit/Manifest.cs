using System.Text.Json.Serialization;

namespace Dori.Audit;

/// <summary><c>manifest.json</c>: what was asked, of what, by which program, on what kind of machine.</summary>
public sealed record Manifest
{
    public string Schema { get; init; } = "dori.manifest/1";
    /// <summary>Version of the program.</summary>
    public required string Version { get; init; }
    /// <summary>The command line that made the run.</summary>
    public required string Command { get; init; }
    public required ManifestModel Model { get; init; }
    public required ManifestPictures Pictures { get; init; }
    public required ManifestDetector CopyDetector { get; init; }
    public required AuditOptions Options { get; init; }
    public required ManifestMachine Machine { get; init; }
    /// <summary>
    /// What was read otherwise than model, pictures or captions say it, or was lost on the way in: one sentence each, shown in the
    /// report.
    /// </summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What differs between two manifests of which one's units cannot stand among the other's; null where nothing does.</summary>
    public string? Conflict(Manifest other)
    {
        (string Name, string Here, string There)[] deciding =
        [
            ("model (SHA-256)", Model.Sha256, other.Model.Sha256),
            ("picture set (SHA-256)", Pictures.Sha256, other.Pictures.Sha256),
            ("items", Pictures.ItemsKey, other.Pictures.ItemsKey),
            ("copy detector (SHA-256)", CopyDetector.Sha256, other.CopyDetector.Sha256),
            ("copy detector preset", CopyDetector.Name, other.CopyDetector.Name),
            ("--starts", string.Join(',', Options.Starts), string.Join(',', other.Options.Starts)),
            ("--curve", string.Join(',', Options.CurveSteps), string.Join(',', other.Options.CurveSteps)),
            ("device", Machine.Device, other.Machine.Device),
            ("dtype", Machine.Dtype, other.Machine.Dtype),
            ("threads a unit", $"{Machine.ThreadsPerUnit}", $"{other.Machine.ThreadsPerUnit}"),
        ];
        foreach ((string name, string here, string there) in deciding)
            if (here != there) return $"{name}: {there} there, {here} here";
        AuditOptions theirs = other.Options with { Starts = Options.Starts, CurveSteps = Options.CurveSteps };
        return theirs == Options ? null : $"options: {theirs} there, {Options} here";
    }
}

/// <param name="Name">"base", or "base + adapter" where adapters are merged into it.</param>
/// <param name="Files">SHA-256 by path, the adapters' with their place and scale.</param>
/// <param name="Adapters">In the order of their merging; absent where there are none.</param>
public sealed record ManifestModel(string Path, string Name, string Sha256, IReadOnlyDictionary<string, string> Files,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<ManifestAdapter>? Adapters = null);

/// <param name="Description">Kind, rank, alpha, layers.</param>
/// <param name="Seen">How often its training showed each picture, as its metadata says; null where it does not.</param>
public sealed record ManifestAdapter(string Path, string Name, double Scale, string Description, string? Seen);

/// <param name="Path">Where the originals lay; the report looks for them there.</param>
/// <param name="Missing">Entries of a caption list that have no picture.</param>
public sealed record ManifestPictures(string Path, string Sha256, IReadOnlyList<ManifestItem> Items, IReadOnlyList<string> Missing)
{
    internal string ItemsKey => string.Join('\n', Items.Select(item => $"{item.Id} {item.Role} {string.Join(' ', item.Sha256)}"));
}

/// <param name="Folder">Where its pictures lay.</param>
public sealed record ManifestItem(string Id, string Folder, IReadOnlyList<string> Files, IReadOnlyList<string> Sha256, string Caption, string Kind, string Role);

public sealed record ManifestDetector(string Name, string Sha256, double Threshold);

/// <param name="ThreadsPerUnit">Kernels split their sums by it: another number may round differently.</param>
public sealed record ManifestMachine(string Device, string Dtype, int ThreadsPerUnit, string Processor, string System, string Libtorch);
