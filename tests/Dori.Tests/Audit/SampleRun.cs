using Dori.Tests.Support;
using Dori.Pictures;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.Json.Serialization;
using System.Text.Json.Serialization.Metadata;
using Dori.Audit;

namespace Dori.Tests.Audit;

/// <summary>A finished run on disk that no model computed: one audited picture and 19 controls, from the prompt and from the
/// caption.</summary>
internal sealed class SampleRun : IDisposable
{
    public static readonly AuditOptions Options = new()
    {
        Starts = [AuditStart.Prompt, AuditStart.Caption], Steps = 3, CurveSteps = [1], CurveGenerations = 1, Generations = 2,
            SearchBatch = 1, MicroBatch = 1,
            GenerationBatch = 2,
        Guidance = 3, SamplerSteps = 2, Threshold = 0.7,
    };
    private readonly string _around = Directory.CreateTempSubdirectory("dori-sample-run-").FullName;

    /// <param name="found">Best similarity of the audited pictures from their captions.</param>
    /// <param name="original">The same of the original, one by one; as many pictures are audited. None: no original, and one
    /// picture.</param>
    public SampleRun(float found = 0.9f, bool bound = true, params float[] original)
    {
        File.WriteAllText(Secret, "not to be read or overwritten");
        Manifest = ManifestOf(Options, bound, Math.Max(1, original.Length));
        Found = found;
        if (original.Length > 0) Manifest = Manifest.WithOriginal(Ancestor);
        Write(Run);
        if (original.Length > 0) WriteOriginal(Run, original);
    }

    /// <summary>Two audited pictures or more beside a reference; every control finds 0.3 in both models.</summary>
    /// <param name="own">Best similarity from the caption, one by one.</param>
    /// <param name="reference">The same of the reference; its controls may be others.</param>
    /// <param name="controls">How many of the 19 there are.</param>
    public SampleRun(float[] own, float[] reference, Func<string, float>? ofControl = null, int controls = 19)
    {
        File.WriteAllText(Secret, "not to be read or overwritten");
        Manifest = ManifestOf(Options, true, own.Length, controls).WithReference(Ancestor);
        Write(Run, Manifest, unit => Best(unit, own, _ => 0.3f));
        WriteReference(Run, unit => Best(unit, reference, ofControl ?? (_ => 0.3f)));
    }

    private static float Best(AuditUnit unit, float[] found, Func<string, float> ofControl) =>
        unit.Item.Role == PictureRole.Control ? ofControl(unit.Item.Id)
        : unit.Start == AuditStart.Caption ? found[int.Parse(unit.Item.Id[1..])] : 0.2f;

    /// <summary>The reference's run in a run.</summary>
    /// <param name="best">Null: the unit is not there.</param>
    public void WriteReference(string folder, Func<AuditUnit, float?> best) =>
        Write(Path.Combine(folder, "reference"), Manifest.Of(Beside.Reference)! with { Control = Manifest.Control }, best);

    public static ManifestModel Ancestor { get; } =
        new("/original", "ancestor", Sha256Text.Of("original"), new Dictionary<string, string>());

    public Manifest Manifest { get; }
    public float Found { get; }
    /// <summary>The run's folder, in one that holds something of somebody else's.</summary>
    public string Run => Path.Combine(_around, "runs", "run");
    public string Shard => Path.Combine(_around, "runs", "shard");
    public string Secret => Path.Combine(_around, "secret.png");

    public string Unit(string id) => Path.Combine(Run, "units", id + ".json");

    public RunFolder Open() => RunFolder.Open(Run);

    public Summary Summary()
    {
        RunFolder run = Open();
        RunUnits units = run.ReadUnits();
        return run.Summarize(units);
    }

    public static Manifest ManifestOf(AuditOptions options, bool bound = true, int audited = 1, int controls = 19)
    {
        ManifestItem Item(string id, string role) =>
            new(id, "/pictures", [$"{id}.png"], [Sha256Text.Of(id)], $"a {id}", role == "audit" ? PictureKind.Verbatim : PictureKind.None,
                role.Role());
        ManifestItem[] items =
            [.. Enumerable.Range(0, audited).Select(i => Item($"v{i:00}", "audit")),
            .. Enumerable.Range(0, controls).Select(i => Item($"c{i:00}", "control"))];
        return VerdictsTests.ManifestOf(items) with
        {
            Schema = bound ? Manifest.Current : Manifest.Unbound, Options = options,
            Pictures = new ManifestPictures("/pictures", Sha256Text.Of(string.Join(' ', items.SelectMany(i => i.Sha256))), items, []),
        };
    }

    public void Write(string folder, Manifest? manifest = null) =>
        Write(folder, manifest ?? Manifest,
            unit => unit.Item.Role == PictureRole.Control ? 0.3f : unit.Start == AuditStart.Caption ? Found : 0.2f);

    /// <summary>The original's run in a run: of the audited items alone.</summary>
    public void WriteOriginal(string folder, params float[] found) => Write(Path.Combine(folder, "original"),
        Manifest.Of(Beside.Original)! with { Control = Manifest.Control },
        unit => unit.Item.Role == PictureRole.Control ? null : unit.Start == AuditStart.Caption ? found[int.Parse(unit.Item.Id[1..])]
            : 0.2f);

    /// <param name="best">Null: the unit is not there.</param>
    private static void Write(string folder, Manifest manifest, Func<AuditUnit, float?> best)
    {
        foreach (string name in new[] { "units", "pictures", "embeddings" }) Directory.CreateDirectory(Path.Combine(folder, name));
        File.WriteAllText(Path.Combine(folder, "manifest.json"), Json(Written(manifest), AuditJson.Default.Manifest, manifest.Bound));
        foreach (AuditUnit unit in AuditPlan.Of(manifest))
        {
            if (best(unit) is not { } similarity) continue;
            UnitRecord record = Record(manifest, unit, similarity);
            File.WriteAllText(Path.Combine(folder, "units", unit.Id + ".json"),
                Json(record, AuditJson.Default.UnitRecord, manifest.Bound));
            foreach (string picture in record.Snapshots[^1].Pictures) File.WriteAllText(Path.Combine(folder, picture), unit.Id);
            if (unit.Start != AuditStart.Prompt) File.WriteAllText(Path.Combine(folder, "embeddings", unit.Id + ".safetensors"), unit.Id);
        }
    }

    /// <summary>Version 1 had no such members.</summary>
    private static readonly string[] s_later =
        ["key", "digest", "mirrored", "mirror", "notes", "control", "original", "reference", "transformSha256"];

    /// <summary>As the program of a record's version writes it.</summary>
    private static string Json<T>(T record, JsonTypeInfo<T> type, bool bound)
    {
        JsonNode json = JsonSerializer.SerializeToNode(record, type)!;
        if (!bound) Strip(json);
        return json.ToJsonString();
    }

    private static void Strip(JsonNode? json)
    {
        if (json is JsonArray list)
            foreach (JsonNode? item in list) Strip(item);
        if (json is not JsonObject members) return;
        foreach (string name in s_later) members.Remove(name);
        foreach ((string _, JsonNode? member) in members) Strip(member);
    }

    private static Manifest Written(Manifest manifest) => manifest.Bound ? RecordDigest.With(manifest) : manifest;

    /// <summary>As it is written.</summary>
    public static UnitRecord Record(Manifest manifest, AuditUnit unit, float best)
    {
        UnitRecord record = Unwritten(manifest, unit, best);
        return manifest.Bound ? RecordDigest.With(record) : record;
    }

    private static UnitRecord Unwritten(Manifest manifest, AuditUnit unit, float best) => new()
    {
        Schema = manifest.Schema == Manifest.Current ? UnitRecord.Current : UnitRecord.Unbound,
        Key = manifest.Schema == Manifest.Current ? UnitKey.Of(manifest, unit) : "",
        Id = unit.Id, Item = unit.Item.Id, Files = unit.Item.Files, Caption = unit.Item.Caption, Kind = unit.Item.Kind,
            Role = unit.Item.Role, Start = unit.Start, Seed = unit.Seed,
        Losses = unit.Start == AuditStart.Prompt ? [] : [.. Enumerable.Repeat(0.1f, manifest.Options.Steps)],
        Snapshots = [.. unit.Snapshots(manifest.Options).Select(s => new Snapshot
        {
            Step = s.Step, Similarities = [.. Enumerable.Repeat(best, s.Generations)], Diversity = 0.5f,
            Pictures = s.Last ? [.. Enumerable.Range(0, s.Generations).Select(unit.PictureName)] : [],
        })],
    };

    /// <summary>Changes a record in place, and its digest with it, as who does it on purpose may.</summary>
    public static void Edit(string file, Action<JsonObject> edit)
    {
        EditAlone(file, edit);
        if (Digest(file) is { } digest) EditAlone(file, json => json["digest"] = digest);
    }

    /// <summary>Changes a JSON file in place and nothing else, as an editor or a fault of the disk does.</summary>
    public static void EditAlone(string file, Action<JsonObject> edit)
    {
        var json = (JsonObject)JsonNode.Parse(File.ReadAllText(file))!;
        edit(json);
        File.WriteAllText(file, json.ToJsonString(
            new JsonSerializerOptions { NumberHandling = JsonNumberHandling.AllowNamedFloatingPointLiterals }));
    }

    /// <summary>What a record's digest would have to be; null where it is no record any more, or of an older version.</summary>
    private static string? Digest(string file)
    {
        try
        {
            string json = File.ReadAllText(file);
            return Path.GetFileName(file) == "manifest.json"
                ? JsonSerializer.Deserialize(json, AuditJson.Default.Manifest) is { Bound: true } manifest
                    ? RecordDigest.With(manifest).Digest : null
                : JsonSerializer.Deserialize(json, AuditJson.Default.UnitRecord) is { Schema: UnitRecord.Current } unit
                    ? RecordDigest.With(unit).Digest : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>Every file around and in the runs, but what lies in one folder, with its bytes.</summary>
    public Dictionary<string, string> Everything(string? except = null) => Directory.GetFiles(_around, "*", SearchOption.AllDirectories)
        .Where(file => except is null || !file.StartsWith(except + Path.DirectorySeparatorChar, StringComparison.Ordinal))
            .ToDictionary(file => file, File.ReadAllText);

    public void Dispose() => Directory.Delete(_around, recursive: true);
}
