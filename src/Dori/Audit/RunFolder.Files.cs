using Dori.Checkpoints;
using Dori.Mitigation;
using Dori.Pictures;
using TorchSharp;

namespace Dori.Audit;

public sealed partial class RunFolder
{
    /// <summary>
    /// The bytes of a file in one of the run's own folders, such as <c>pictures/v00-prompt-0-1.png</c>; null where no such file is in
    /// there, or none that can be read.
    /// </summary>
    public byte[]? ReadPart(string name)
    {
        if (PartPath(name) is not { } path || !File.Exists(path)) return null;
        try
        {
            return InputFile.ReadBytes(path, KindOf(name));
        }
        catch (DoriException)
        {
            return null;
        }
    }

    /// <summary>Whether there is a file of this name in one of the run's own folders.</summary>
    internal bool HasPart(string name) => PartPath(name) is { } path && File.Exists(path);

    private static InputKind KindOf(string name) => name[..name.IndexOf('/')] switch
    {
        Units or Costs or Likelihoods or Bits => InputKind.UnitRecord,
        Embeddings => InputKind.Weights,
        _ => InputKind.Picture,
    };

    /// <summary>An original as it was compared, by the SHA-256 of its file; null where it is not kept.</summary>
    public byte[]? ReadOriginal(string sha256) => IsHash(sha256) ? ReadPart(OriginalName(sha256)) : null;

    /// <summary>
    /// Keeps each picture of a set as it is compared: decoded, the shorter side brought to the model's size, centre cropped. Reports show
    /// these, and read nothing outside the folder.
    /// </summary>
    /// <param name="side">The model's picture size in pixels.</param>
    public void KeepOriginals(PictureSet set, int side)
    {
        AtomicFile.MakeFolder(System.IO.Path.Combine(Path, OriginalPictures));
        foreach ((PictureItem item, int reference, string sha256) in set.Items.SelectMany(item =>
            item.Sha256.Select((sha256, reference) => (item, reference, sha256))).DistinctBy(picture => picture.sha256))
        {
            string target = System.IO.Path.Combine(Path, OriginalName(sha256));
            if (File.Exists(target)) continue;
            using torch.Tensor picture = item.Original(reference, side);
            Picture.Save(target, picture);
        }
    }

    /// <summary>Notes that the program works on the run from now on.</summary>
    internal void Begin(RunSession session, string? title = null, string? auditor = null, string? note = null) => Change(log => log with
    {
        Title = title ?? log.Title, Auditor = auditor ?? log.Auditor, Note = note ?? log.Note, Sessions = [.. log.Sessions, session],
    });

    /// <summary>Notes that a session has come to its end.</summary>
    internal void End(RunSession session, DateTimeOffset now) => Change(log => log with
    {
        Sessions = [.. log.Sessions.Select(other => other == session ? other with { Finished = now } : other)],
    });

    /// <summary>One process at a time.</summary>
    private void Change(Func<RunLog, RunLog> change)
    {
        using var claims = new RunClaims(Path);
        using IDisposable claim = claims.Wait("run", CancellationToken.None);
        AtomicFile.WriteText(System.IO.Path.Combine(Path, RunLog.FileName),
            System.Text.Json.JsonSerializer.Serialize(change(ReadLog()), AuditJson.Default.RunLog) + "\n");
    }

    /// <summary>Empty where there is none, or none that can be read: it decides nothing.</summary>
    internal RunLog ReadLog()
    {
        string file = System.IO.Path.Combine(Path, RunLog.FileName);
        try
        {
            RunLog? log = File.Exists(file) && !IsLink(file) ? InputFile.ReadJson(file, InputKind.Record, AuditJson.Default.RunLog) : null;
            return log?.Problem() is null && log is not null ? log : new RunLog();
        }
        catch (DoriException)
        {
            return new RunLog();
        }
    }

    /// <summary>Keeps what a pruning left beside the model, for the report.</summary>
    /// <exception cref="DoriException">The model's record cannot be read.</exception>
    public void KeepPruning(string modelFolder)
    {
        string target = System.IO.Path.Combine(Path, DiffusersFolder.Mitigation);
        if (PruningRecord.Read(modelFolder) is not null)
            AtomicFile.WriteBytes(target, InputFile.ReadBytes(System.IO.Path.Combine(modelFolder, DiffusersFolder.Mitigation),
                InputKind.Record));
    }

    /// <summary>What the run keeps of its model's pruning; null where there is none, or none that can be read.</summary>
    internal PruningRecord? ReadPruning()
    {
        try
        {
            return IsLink(System.IO.Path.Combine(Path, DiffusersFolder.Mitigation)) ? null : PruningRecord.Read(Path);
        }
        catch (DoriException)
        {
            return null; // the audit stands without it
        }
    }

    internal static bool IsHash(string? text) => text is { Length: 64 } && text.All(char.IsAsciiHexDigitLower);

    internal static string OriginalName(string sha256) => $"{OriginalPictures}/{sha256}.png";

    /// <summary>
    /// Where a file that a record names lies: <c>folder/name</c> with one of the run's folders and a plain name, and no link. Anything else
    /// is none, so that no record reaches outside.
    /// </summary>
    private string? PartPath(string name)
    {
        string[] parts = name.Split('/');
        if (parts.Length != 2 || !Folders.Contains(parts[0]) || parts[1].Length == 0 || parts[1][0] == '.') return null;
        if (!parts[1].All(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '-' or '.')) return null;
        string path = System.IO.Path.Combine(Path, parts[0], parts[1]);
        return IsLink(path) || IsLink(System.IO.Path.Combine(Path, parts[0])) ? null : path;
    }

    private static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;

    /// <exception cref="DoriException">One of the run's own folders is a link: what is written there would land elsewhere.</exception>
    private static void RefuseLinks(string path)
    {
        foreach (string folder in Folders.Concat(s_besideFolders).Append(RunClaims.Folder))
            if (IsLink(System.IO.Path.Combine(path, folder)))
                throw new DoriException(
                $"{path}: {folder} is a link; a run's folders lie in the run folder itself, so put it there or choose another with -o");
    }

    /// <summary>Names of what lies in <c>units</c>, sorted; nothing is said of what is in the files.</summary>
    private string[] UnitFiles()
    {
        string folder = System.IO.Path.Combine(Path, Units);
        if (!Directory.Exists(folder)) return [];
        return [.. Directory.GetFiles(folder, "*.json").Select(file => $"{Units}/{System.IO.Path.GetFileName(file)}")
            .Order(StringComparer.Ordinal)];
    }

    /// <summary>Whether a record is a unit of this run: of one of its items, with any seed, since a locality run has many.</summary>
    private bool BelongsHere(string name)
    {
        if (ReadRecord(name).Record is not { } record || !Manifest.Options.Starts.Contains(record.Start)) return false;
        PictureItem[] items = [.. Manifest.Pictures.Items.Select(item => item.ToPictureItem())];
        if (items.FirstOrDefault(item => item.Id == record.Item) is not { } own) return false;
        AuditUnit unit = AuditPlan.Unit(own, record.Start, record.Seed, AuditPlan.ControlCaptions(items));
        return name == $"{Units}/{unit.Id}.json" && UnitCheck.Problem(record, unit, Manifest) is null;
    }

    private (UnitRecord? Record, string? Problem) ReadRecord(string name)
    {
        if (ReadPart(name) is not { } json) return (null, "it is a link, too large, or cannot be read");
        try
        {
            return (StrictJson.Read("the file", json, AuditJson.Default.UnitRecord, InputKind.UnitRecord.Name), null);
        }
        catch (DoriException e)
        {
            return (null, e.Message);
        }
    }

    private static Manifest ReadManifest(string path)
    {
        string file = System.IO.Path.Combine(path, ManifestName);
        if (IsLink(file)) throw Damaged($"{file}: it is a link", null);
        Manifest manifest;
        try
        {
            manifest = InputFile.ReadJson(file, InputKind.Record, AuditJson.Default.Manifest);
        }
        catch (DoriException e)
        {
            throw Damaged(e.Message, e);
        }
        // older versions knew no mirror images
        if (!manifest.Bound) manifest = manifest with { Options = manifest.Options with { Mirror = false } };
        return manifest.Problem() is { } problem ? throw Damaged($"{file}: {problem}", null) : manifest;
    }

    private static DoriException Damaged(string message, Exception? inner)
    {
        const string advice =
            "damaged, or of another version; the command that made the run writes it anew and keeps the units that belong to it";
        return inner is null ? new DoriException($"{message}: {advice}") : new DoriException($"{message}: {advice}", inner);
    }
}
