using System.Text;
using System.Text.Json;
using Dori.Audit;

namespace Dori.Signing;

/// <summary>
/// A run folder's signed record. <c>SHA256SUMS</c> lists every file of the run (<c>sha256sum -c</c> reads it);
/// <c>attestation.json</c> is the envelope with the statement that names that list, model and verdicts; <c>attestation.pub</c> the public
/// key.
/// </summary>
internal static class SignedRun
{
    public const string Sums = "SHA256SUMS", Attestation = "attestation.json", PublicKey = "attestation.pub";
    private static readonly string[] s_own = [Sums, Attestation, PublicKey];

    /// <exception cref="DoriException">The run's report is not of its units as they lie there.</exception>
    public static Statement Sign(RunFolder run, Ed25519Key key)
    {
        Summary summary = Checked(run);
        string sums = SumsOf(run.Path);
        Statement statement = Statement.Of(run.Manifest, summary, Sha256Text.Of(sums));
        byte[] payload = JsonSerializer.SerializeToUtf8Bytes(statement, SigningJson.Default.Statement);
        AtomicFile.WriteText(Path.Combine(run.Path, Sums), sums);
        AtomicFile.WriteText(Path.Combine(run.Path, PublicKey), key.PublicPem);
        AtomicFile.WriteText(Path.Combine(run.Path, Attestation), // last: it says that the rest is there
            JsonSerializer.Serialize(Envelope.Of(payload, key), SigningJson.Default.Envelope) + "\n");
        return statement;
    }

    /// <summary>Signature, every file's hash, and that the verdicts signed are those of the units.</summary>
    /// <param name="key">Null: the one beside the record, which says only that nobody without it has changed anything.</param>
    /// <exception cref="DoriException">The first thing that does not hold.</exception>
    public static Statement Verify(string path, Ed25519Key? key)
    {
        string file = Path.Combine(path, Attestation);
        if (!File.Exists(file))
            throw new DoriException($"{path}: not signed (it has no {Attestation}); dori sign RUN --key FILE signs a run");
        key ??= Ed25519Key.Read(Path.Combine(path, PublicKey));
        byte[] payload = InputFile.ReadJson(file, InputKind.Record, SigningJson.Default.Envelope).Open(file, key);
        Statement signed = StrictJson.Read(file, payload, SigningJson.Default.Statement, "a statement");
        string sums = InputFile.ReadText(Path.Combine(path, Sums), InputKind.Record);
        if (!signed.Predicate.Configuration.Any(part => part.Digest.GetValueOrDefault("sha256") == Sha256Text.Of(sums)))
            throw new DoriException($"{path}: {Sums} is not the one that was signed");
        CheckFiles(path, sums);
        RunFolder run = RunFolder.Open(path);
        string now = Text(Statement.Of(run.Manifest, Checked(run), Sha256Text.Of(sums)));
        return now == Text(signed) ? signed
            : throw new DoriException($"{path}: what was signed is not what its units say; sign it anew with the version that reported it");
    }

    private static string Text(Statement statement) => JsonSerializer.Serialize(statement, SigningJson.Default.Statement);

    /// <summary>The summary of the units, which is the one that lies there.</summary>
    private static Summary Checked(RunFolder run)
    {
        RunUnits units = run.ReadUnits();
        if (units.Wrong.Count > 0) throw new DoriException($"{run.Path}: {units.Wrong[0]}");
        Summary summary = run.Summarize(units);
        string there = Path.Combine(run.Path, RunFolder.SummaryName);
        if (!File.Exists(there) || InputFile.ReadText(there, InputKind.Record) != RunFolder.Text(summary))
            throw new DoriException($"{there}: not the summary of the units that lie there; `dori report {run.Path}` writes it anew");
        return summary;
    }

    /// <summary>A line a file, as sha256sum writes it: the hash, two blanks, the name with slashes; in the order of the names.</summary>
    private static string SumsOf(string path)
    {
        var lines = new StringBuilder();
        foreach (string name in Names(path)) lines.Append($"{InputFile.Sha256(Path.Combine(path, name), InputKind.Any)}  {name}\n");
        return lines.ToString();
    }

    private static string[] Names(string path)
    {
        string? link = Directory.EnumerateFileSystemEntries(path, "*", SearchOption.AllDirectories)
            .FirstOrDefault(entry => new FileInfo(entry).LinkTarget is not null);
        if (link is not null) throw new DoriException($"{link}: a link; what is signed lies in the run folder itself");
        return [.. Directory.EnumerateFiles(path, "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(path, file).Replace('\\', '/')).Except(s_own).Order(StringComparer.Ordinal)];
    }

    private static void CheckFiles(string path, string sums)
    {
        var signed = new Dictionary<string, string>();
        foreach (string line in sums.Split('\n', StringSplitOptions.RemoveEmptyEntries))
            signed[line.Length > 66 ? line[66..] : line] = line.Length > 66 ? line[..64] : "";
        string[] there = Names(path);
        if (there.Except(signed.Keys).FirstOrDefault() is { } added)
            throw new DoriException($"{path}: {added} was not there when it was signed");
        foreach ((string name, string sha256) in signed)
        {
            if (!there.Contains(name)) throw new DoriException($"{path}: {name}, which was signed, is gone");
            if (InputFile.Sha256(Path.Combine(path, name), InputKind.Any) != sha256)
                throw new DoriException($"{path}: {name} was changed after it was signed");
        }
    }
}
