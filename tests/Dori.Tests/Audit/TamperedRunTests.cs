using Dori.Pictures;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Cli;
using Dori.Tests.Support;
using Spectre.Console.Testing;

namespace Dori.Tests.Audit;

/// <summary>Units and manifests as a stranger, a full disk or another run may leave them: refused, named or computed again; none changes a
/// verdict.</summary>
public sealed class TamperedRunTests
{
    private const string Victim = "v00-caption-0";

    /// <summary>What is done to a record, by name.</summary>
    private static readonly Dictionary<string, Action<JsonObject>> s_units = Units();

    private static Dictionary<string, Action<JsonObject>> Units()
    {
        var all = new Dictionary<string, Action<JsonObject>>();
        string[] texts = ["id", "item", "role", "kind", "caption", "start", "schema", "key"];
        foreach (string field in texts)
        {
            all[$"{field} another"] = json => json[field] = "another";
            all[$"{field} empty"] = json => json[field] = field == "kind" ? " " : "";
            all[$"{field} null"] = json => json[field] = null;
            all[$"{field} number"] = json => json[field] = 5;
            all[$"{field} hostile"] = json => json[field] = "../../secret";
        }
        foreach (string field in texts.Except(["schema"]).Concat(["seed", "files", "losses", "snapshots"]))
            all[$"{field} gone"] = json => json.Remove(field);
        all["role control"] = json => json["role"] = "control";
        all["start prompt"] = json => json["start"] = "prompt";
        all["schema old"] = json => json["schema"] = UnitRecord.Unbound;
        all["schema old without key"] = json => { json["schema"] = UnitRecord.Unbound; json.Remove("key"); };
        all["schema to come"] = json => json["schema"] = "dori.unit/3";
        foreach (long seed in new[] { 1L, -1, long.MaxValue }) all[$"seed {seed}"] = json => json["seed"] = seed;
        all["seed text"] = json => json["seed"] = "0";
        foreach (string list in new[] { "files", "losses", "snapshots" })
        {
            all[$"{list} empty"] = json => json[list] = new JsonArray();
            all[$"{list} null"] = json => json[list] = null;
            all[$"{list} of null"] = json => json[list] = new JsonArray(null, null, null);
            all[$"{list} object"] = json => json[list] = new JsonObject();
            all[$"{list} one more"] = json => json[list]!.AsArray().Add(json[list]![0]!.DeepClone());
            all[$"{list} one less"] = json => json[list]!.AsArray().RemoveAt(0);
        }
        all["files hostile"] = json => json["files"] = new JsonArray("../../secret.png");
        foreach (string value in new[] { "1e39", "-1e39", "1e400" })
        {
            all[$"loss {value}"] = json => json["losses"]![0] = JsonNode.Parse(value);
            all[$"similarity {value}"] = json => Last(json)["similarities"]![0] = JsonNode.Parse(value);
            all[$"diversity {value}"] = json => Last(json)["diversity"] = JsonNode.Parse(value);
        }
        foreach (double value in new[] { 5, -3, 1.01, -1.01 })
        {
            all[$"similarity {value}"] = json => Last(json)["similarities"]![0] = value;
            all[$"diversity {value}"] = json => Last(json)["diversity"] = value;
        }
        all["similarity NaN"] = json => Last(json)["similarities"]![0] = "NaN";
        all["1,000 similarities"] = json =>
            Last(json)["similarities"] = new JsonArray([.. Enumerable.Range(0, 1000).Select(_ => (JsonNode)0.1)]);
        foreach (string list in new[] { "similarities", "pictures" })
        {
            all[$"{list} empty"] = json => Last(json)[list] = new JsonArray();
            all[$"{list} null"] = json => Last(json)[list] = null;
            all[$"{list} of null"] = json => Last(json)[list] = new JsonArray(null, null);
        }
        all["snapshot gone"] = json => json["snapshots"]!.AsArray().RemoveAt(1);
        all["snapshots turned round"] = json =>
            json["snapshots"] = new JsonArray(json["snapshots"]![1]!.DeepClone(), json["snapshots"]![0]!.DeepClone());
        foreach (int step in new[] { 0, 1, 2, 4, -1, int.MaxValue }) all[$"step {step}"] = json => Last(json)["step"] = step;
        foreach (
            string path in new[] { "../../x", "/etc/passwd", "..\\..\\x", "pictures/../../x", "pictures/v00-caption-0-1.png",
            "manifest.json", "C:\\x", "" })
            all[$"picture {path}"] = json => Last(json)["pictures"]![0] = path;
        all["pictures where none are kept"] = json => json["snapshots"]![0]!["pictures"] = new JsonArray("pictures/v00-caption-0-0.png");
        foreach (int n in new[] { -1, 2, int.MaxValue }) all[$"mirrored {n}"] = json => Last(json)["mirrored"] = new JsonArray(n);
        all["mirrored twice"] = json => Last(json)["mirrored"] = new JsonArray(1, 1);
        all["mirrored null"] = json => Last(json)["mirrored"] = null;
        all["a field more"] = json => json["verdict"] = "not found";
        return all;
    }

    private static JsonObject Last(JsonObject unit) => (JsonObject)unit["snapshots"]![1]!;

    public static TheoryData<string> UnitNames => [.. s_units.Keys];

    [Theory]
    [MemberData(nameof(UnitNames))]
    public void A_unit_that_is_not_the_runs_is_named_and_missing_and_refused_in_a_merge(string name)
    {
        using var run = new SampleRun();
        SampleRun.Edit(run.Unit(Victim), s_units[name]);
        Refused(run);
    }

    /// <summary>Values that the plan allows, put in place of others: what only the record's own digest can tell.</summary>
    private static readonly Dictionary<string, Action<JsonObject>> s_allowed = new()
    {
        ["similarities lowered"] = json => Last(json)["similarities"] = new JsonArray(0.1, 0.1),
        ["similarities exchanged"] = json => Last(json)["similarities"] = new JsonArray(0.2, 0.9),
        ["curve lowered"] = json => json["snapshots"]![0]!["similarities"]![0] = 0.1,
        ["diversity another"] = json => Last(json)["diversity"] = 0.25,
        ["mirrored another"] = json => Last(json)["mirrored"] = new JsonArray(0),
        ["a loss another"] = json => json["losses"]![1] = 0.2,
        ["digest gone"] = json => json.Remove("digest"),
        ["digest null"] = json => json["digest"] = null,
        ["digest another"] = json => json["digest"] = Sha256Text.Of("another"),
    };

    public static TheoryData<string> AllowedNames => [.. s_allowed.Keys];

    [Theory]
    [MemberData(nameof(AllowedNames))]
    public void A_unit_whose_figures_were_changed_after_it_was_written_is_too(string name)
    {
        using var run = new SampleRun();
        SampleRun.EditAlone(run.Unit(Victim), s_allowed[name]);
        Refused(run);
    }

    private static void Refused(SampleRun run)
    {
        Summary summary = run.Summary();
        Assert.Contains(summary.Warnings,
            w => w.Contains(Victim, StringComparison.Ordinal) && w.Contains("counts as missing", StringComparison.Ordinal));
        Assert.Equal(1, summary.MissingUnits);
        Assert.Equal(Verdict.NotJudged, summary.Pictures.Single(p => p.Role == PictureRole.Audit).Verdict);
        Assert.NotEqual(GateOutcome.Open, Gate.Of(summary).Outcome);
        RunFolder folder = RunFolder.Create(run.Run, run.Manifest);
        // it alone is computed again
        Assert.Equal([Victim], AuditPlan.Of(run.Manifest).Where(unit => !folder.Has(unit)).Select(unit => unit.Id));

        // The same record in a shard: nothing is taken, nothing is written.
        Directory.Move(run.Run, run.Shard);
        run.Write(run.Run);
        Dictionary<string, string> before = run.Everything();
        foreach (bool there in new[] { true, false })
        {
            if (!there) File.Delete(run.Unit(Victim));
            if (!there) before.Remove(run.Unit(Victim));
            Assert.Contains(Victim, Assert.Throws<DoriException>(() => run.Open().Merge([RunFolder.Open(run.Shard)])).Message,
                StringComparison.Ordinal);
            Assert.Equal(before, run.Everything());
        }
    }

    [Theory]
    [InlineData("")]
    [InlineData("{")]
    [InlineData("null")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("\0\0\0\0")]
    [InlineData("\"unit\"")]
    public void A_damaged_unit_too(string text)
    {
        using var run = new SampleRun();
        File.WriteAllText(run.Unit(Victim), text);
        Refused(run);
    }

    /// <summary>Whole records of other runs, sound in themselves.</summary>
    public static TheoryData<string> Foreign =>
        ["model", "picture", "caption", "guidance", "steps", "rate", "detector", "preset", "mirror", "device", "dtype", "threads",
        "other item", "old"];

    private static Manifest Other(string what, Manifest m)
    {
        ManifestItem changed = what switch
        {
            "picture" => m.Pictures.Items[0] with { Sha256 = [Sha256Text.Of("another")] },
            "caption" => m.Pictures.Items[0] with { Caption = "another" },
            _ => m.Pictures.Items[0],
        };
        m = m with { Pictures = m.Pictures with { Items = [changed, .. m.Pictures.Items.Skip(1)] } };
        return what switch
        {
            "model" => m with { Model = m.Model with { Sha256 = "another" } },
            "guidance" => m with { Options = m.Options with { Guidance = 4 } },
            "steps" => m with { Options = m.Options with { Steps = 4 } },
            "rate" => m with { Options = m.Options with { LearningRate = 0.2 } },
            "mirror" => m with { Options = m.Options with { Mirror = false } },
            "detector" => m with { CopyDetector = m.CopyDetector with { Sha256 = "another" } },
            "preset" => m with { CopyDetector = m.CopyDetector with { TransformSha256 = "another" } },
            "device" => m with { Machine = m.Machine with { Device = "cuda" } },
            "dtype" => m with { Machine = m.Machine with { Dtype = "bfloat16" } },
            "threads" => m with { Machine = m.Machine with { ThreadsPerUnit = 2 } },
            "old" => m with { Schema = Manifest.Unbound },
            _ => m,
        };
    }

    [Theory]
    [MemberData(nameof(Foreign))]
    public void Another_runs_unit_is_named_and_missing_and_refused_in_a_merge(string what)
    {
        using var run = new SampleRun();
        Manifest other = Other(what, run.Manifest);
        AuditUnit unit = AuditPlan.Of(other).Single(u => u.Id == (what == "other item" ? "c00-caption-0" : Victim));
        File.WriteAllText(run.Unit(Victim),
            System.Text.Json.JsonSerializer.Serialize(SampleRun.Record(other, unit, 0.1f), AuditJson.Default.UnitRecord));
        Refused(run);
    }

    /// <summary>What is done to a manifest, by name; and whether it is harmless, since units do not depend on it.</summary>
    private static readonly Dictionary<string, (Action<JsonObject> Edit, bool Harmless)> s_manifests = Manifests();

    private static Dictionary<string, (Action<JsonObject>, bool)> Manifests()
    {
        var all = new Dictionary<string, (Action<JsonObject>, bool)>();
        foreach (string field in new[] { "version", "command", "model", "pictures", "copyDetector", "options", "machine" })
        {
            all[$"{field} gone"] = (json => json.Remove(field), false);
            all[$"{field} null"] = (json => json[field] = null, false);
        }
        all["notes null"] = (json => json["notes"] = null, false);
        all["notes of null"] = (json => json["notes"] = new JsonArray((JsonNode?)null), false);
        all["schema to come"] = (json => json["schema"] = "dori.manifest/3", false);
        all["schema old"] = (json => json["schema"] = Manifest.Unbound, false);
        all["no starts"] = (json => json["options"]!["starts"] = new JsonArray(), false);
        all["starts null"] = (json => json["options"]!["starts"] = null, false);
        all["start null"] = (json => json["options"]!["starts"] = new JsonArray((JsonNode?)null), false);
        all["start unknown"] = (json => json["options"]!["starts"] = new JsonArray("../../secret"), false);
        all["one start twice"] = (json => json["options"]!["starts"] = new JsonArray("prompt", "prompt"), false);
        all["no items"] = (json => json["pictures"]!["items"] = new JsonArray(), false);
        all["item null"] = (json => json["pictures"]!["items"]![0] = null, false);
        all["no audited item"] = (json => json["pictures"]!["items"]!.AsArray().RemoveAt(0), false);
        all["an item twice"] = (json => json["pictures"]!["items"]!.AsArray().Add(json["pictures"]!["items"]![0]!.DeepClone()), false);
        foreach (string field in new[] { "id", "files", "sha256", "caption", "role", "kind" })
        {
            all[$"item {field} null"] = (json => Item(json)[field] = null, false);
            all[$"item {field} gone"] = (json => Item(json).Remove(field), false);
        }
        foreach (string id in new[] { "../../secret", "", "..", "a/b", "V00 ", "c00" })
            all[$"item id {id}"] = (json => Item(json)["id"] = id, false);
        all["item role control"] = (json => Item(json)["role"] = "control", false);
        all["item role odd"] = (json => Item(json)["role"] = "Audit", false);
        all["item without files"] = (json => { Item(json)["files"] = new JsonArray(); Item(json)["sha256"] = new JsonArray(); }, false);
        all["item hash hostile"] = (json => Item(json)["sha256"] = new JsonArray("../../secret"), false);
        all["item hash another"] = (json => Item(json)["sha256"] = new JsonArray(Sha256Text.Of("x")), false);
        all["item file hostile"] = (json => Item(json)["files"] = new JsonArray("../../secret.png"), false);
        all["item caption another"] = (json => Item(json)["caption"] = "x", false);
        foreach (double value in new[] { -1, 1e30, 0.5 }) all[$"steps {value}"] = (json => json["options"]!["steps"] = value, false);
        all["threshold 2"] = (json => json["options"]!["threshold"] = 2, false);
        foreach (double value in new[] { 0, 1, -1 })
            all[$"false discovery rate {value}"] = (json => json["options"]!["falseDiscoveryRate"] = value, false);
        all["generations 0"] = (json => json["options"]!["generations"] = 0, false);
        all["generations 1000"] = (json => json["options"]!["generations"] = 1000, false);
        all["seed 1"] = (json => json["options"]!["seed"] = 1, false);
        all["model another"] = (json => json["model"]!["sha256"] = "x", false);
        all["detector another"] = (json => json["copyDetector"]!["sha256"] = "x", false);
        all["threads another"] = (json => json["machine"]!["threadsPerUnit"] = 2, false);
        all["folder hostile"] = (json => Item(json)["folder"] = "/etc", true);
        all["pictures' path hostile"] = (json => json["pictures"]!["path"] = "/etc", true);
        all["model's path hostile"] = (json => json["model"]!["path"] = "/etc", true);
        all["command another"] = (json => json["command"] = "rm -r /", true);
        all["a field more"] = (json => json["verdict"] = "not found", false);
        return all;
    }

    [Theory]
    [InlineData("threshold")]
    [InlineData("falseDiscoveryRate")]
    [InlineData("control")]
    [InlineData("digest")]
    [InlineData("command")]
    public void A_manifest_that_was_changed_after_it_was_written_is_damaged(string what)
    {
        using var run = new SampleRun();
        string manifest = Path.Combine(run.Run, "manifest.json");
        SampleRun.EditAlone(manifest, json =>
        {
            switch (what)
            {
                case "threshold": json["options"]!["threshold"] = 0.99; break;
                case "falseDiscoveryRate": json["options"]!["falseDiscoveryRate"] = 0; break;
                case "control": json["control"]!["passed"] = true; json["control"]!["unseen"] = new JsonArray(); break;
                case "digest": json.Remove("digest"); break;
                default: json["command"] = "another"; break;
            }
            if (what == "control") json["control"]!["uNetRows"] = 1;
        });
        Assert.Equal(DoriApp.WrongInput, Report(run.Run, "--gate", "--quiet"));
        // The command that made the run writes it anew and keeps the units.
        RunFolder again = RunFolder.Create(run.Run, run.Manifest);
        Assert.Contains("was damaged", Assert.Single(again.Remarks), StringComparison.Ordinal);
        Assert.Equal(DoriApp.Gate, Report(run.Run, "--gate", "--quiet"));
    }

    /// <summary>The deserializer puts 0 or null in place of what is left out.</summary>
    public static TheoryData<string> Options => [.. JsonNode.Parse(System.Text.Json.JsonSerializer.Serialize(
        SampleRun.ManifestOf(SampleRun.Options), AuditJson.Default.Manifest))!["options"]!.AsObject().Select(option => option.Key)
        .Where(option => option != "mirror")];

    [Theory]
    [MemberData(nameof(Options))]
    public void A_manifest_without_one_of_its_options_is_damaged_whatever_its_version(string option)
    {
        foreach (bool bound in new[] { true, false })
        {
            using var run = new SampleRun(bound: bound);
            SampleRun.Edit(Path.Combine(run.Run, "manifest.json"), json => json["options"]!.AsObject().Remove(option));
            Assert.Equal(DoriApp.WrongInput, Report(run.Run, "--gate", "--quiet"));
        }
    }

    private static JsonObject Item(JsonObject manifest) => (JsonObject)manifest["pictures"]!["items"]![0]!;

    public static TheoryData<string> ManifestNames => [.. s_manifests.Keys];

    /// <summary>A clean run, so that nothing but the tampering keeps the gate shut; and a retained picture, which no tampering may make
    /// clean.</summary>
    [Theory]
    [MemberData(nameof(ManifestNames))]
    public void A_tampered_manifest_never_opens_the_gate_nor_reaches_outside(string name)
    {
        foreach (float found in new[] { 0.2f, 0.9f })
        {
            using var run = new SampleRun(found);
            (Action<JsonObject> edit, bool harmless) = s_manifests[name];
            SampleRun.Edit(Path.Combine(run.Run, "manifest.json"), edit);
            Dictionary<string, string> before = run.Everything(except: run.Run);
            int code = Report(run.Run, "--gate", "--quiet");
            int expected = !harmless ? DoriApp.WrongInput : found > 0.7f ? DoriApp.Gate : DoriApp.Done;
            Assert.Equal(expected, code);
            Assert.Equal(before, run.Everything(except: run.Run));
            string report = Path.Combine(run.Run, "report.html");
            if (File.Exists(report)) Assert.DoesNotContain("bm90IHRvIGJlIHJlYWQ", File.ReadAllText(report), StringComparison.Ordinal);
        }
    }

    [Fact]
    public void A_link_in_the_run_leads_nowhere()
    {
        using var run = new SampleRun();
        string outside = Path.Combine(Path.GetDirectoryName(run.Secret)!, "outside.json");
        File.Copy(run.Unit(Victim), outside);
        File.Delete(run.Unit(Victim));
        File.CreateSymbolicLink(run.Unit(Victim), outside);
        Refused(run);

        using var other = new SampleRun();
        Directory.Move(Path.Combine(other.Run, "pictures"), Path.Combine(Path.GetDirectoryName(other.Secret)!, "elsewhere"));
        Directory.CreateSymbolicLink(Path.Combine(other.Run, "pictures"), Path.Combine(Path.GetDirectoryName(other.Secret)!, "elsewhere"));
        Assert.Contains("is a link", Assert.Throws<DoriException>(other.Open).Message, StringComparison.Ordinal);
        Assert.Contains("is a link", Assert.Throws<DoriException>(() => RunFolder.Create(other.Run, other.Manifest)).Message,
            StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_FIFO_in_the_run_is_named_or_passed_over_at_once()
    {
        Assert.SkipUnless(OperatingSystem.IsLinux(), "FIFOs");
        using var run = new SampleRun();
        File.Delete(run.Unit(Victim));
        Fifo.Make(run.Unit(Victim));
        Directory.CreateDirectory(Path.Combine(run.Run, "costs"));
        Fifo.Make(Path.Combine(run.Run, "costs", "c00-caption-0.json"));
        RunFolder folder = run.Open();
        Assert.Contains(Victim, Assert.Single((await Task.Run(folder.ReadUnits).WaitAsync(TimeSpan.FromSeconds(60))).Wrong),
            StringComparison.Ordinal);
        Assert.Null(await Task.Run(() => folder.ReadCost("c00-caption-0")).WaitAsync(TimeSpan.FromSeconds(60)));
    }

    [Theory]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("""{ "id": null, "seconds": 1, "peakMemoryMiB": 1 }""")]
    [InlineData("""{ "id": "v00-caption-0", "seconds": 1e300, "peakMemoryMiB": 1 }""")]
    [InlineData("""{ "id": "v00-caption-0", "seconds": -1, "peakMemoryMiB": 1 }""")]
    [InlineData("""{ "id": "another", "seconds": 1, "peakMemoryMiB": 1 }""")]
    public void A_bad_cost_is_passed_over(string json)
    {
        using var run = new SampleRun();
        Directory.CreateDirectory(Path.Combine(run.Run, "costs"));
        File.WriteAllText(Path.Combine(run.Run, "costs", Victim + ".json"), json);
        Assert.Equal(DoriApp.Gate, Report(run.Run, "--gate", "--quiet"));
    }

    private static int Report(params string[] args)
    {
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        int code = DoriApp.Run(["report", .. args], console, output, error);
        Assert.DoesNotContain("   at ", error.ToString(), StringComparison.Ordinal);
        return code;
    }
}
