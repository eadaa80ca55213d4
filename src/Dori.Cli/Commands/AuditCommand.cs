using System.ComponentModel;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Pictures;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class AuditSettings : ReferenceSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--images <DIR>"),
        Description("Pictures with captions: a folder with metadata.csv or .jsonl (file_name, text, and optionally item, kind, role), or "
        + "with .txt beside the pictures; a .tar; a .parquet")]
    public string Images { get; init; } = "";

    [CommandOption("--list <FILE>"),
        Description("A published caption list (NeMo's CSV, or JSON lines); --images then holds its pictures by index")]
    public string? List { get; init; }

    [CommandOption("--controls <DIR>"),
        Description("Pictures, in the same forms, that the model has never seen (default: those of --images with role control)")]
    public string? Controls { get; init; }

    [CommandOption("--original <MODEL>"), Description("The ancestor that is expected to hold the pictures, searched in the same way: shows "
        + "that this search finds them (--lora does not apply to it)")]
    public string? Original { get; init; }

    [CommandOption("-o|--output <RUN>"), Description("The run folder; one that holds the same run is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--limit <N>"), Description("The first N items of each role and kind")]
    public int? Limit { get; init; }

    [CommandOption("--shard <I/N>"), Description("Every N-th picture and control only, from the I-th on; `dori report` merges the folders")]
    public string? Shard { get; init; }

    [CommandOption("--stop-at-verdict")]
    [Description("Controls are searched first; then no picture further than its verdict needs: as soon as it is nearer than all of them")]
    public bool StopAtVerdict { get; init; }

    [CommandOption("--picture <FILE>"), Description("One picture that somebody asks about, with its --caption, in place of --images")]
    public string? Picture { get; init; }

    [CommandOption("--title <TEXT>"), Description("Of the report")]
    public string? Title { get; init; }

    [CommandOption("--auditor <NAME>"), Description("Who answers for the audit: for the report")]
    public string? Auditor { get; init; }

    [CommandOption("--note <TEXT>"), Description("For the report, such as what the audit is for")]
    public string? Note { get; init; }

    [CommandOption("--ladder"), Description("Climb, too: one vector; 1, 2, 4, 8 tokens; tied padding; a ball; the published search: how "
        + "few free numbers bring each picture back, and each control")]
    public bool Ladder { get; init; }

    [CommandOption("--paths [K]"), Description("Search from K further random starts (default: 8), too, controls as well: from how many "
        + "does each picture come back")]
    public FlagValue<int> Paths { get; init; } = new();

    [CommandOption("--estimate"), Description("Says what the audit would cost here, under each protocol, and ends")]
    public bool Estimate { get; init; }

    [CommandOption("--no-report")]
    [Description("Units alone, no summary and no report: for one of several processes at the same RUN, which share its units")]
    public bool NoReport { get; init; }

    [CommandOption("--gate"), Description(GateOptions.AskedText)]
    public bool Gate { get; init; }

    [CommandOption("--baseline <FILE>"), Description(GateOptions.BaselineText)]
    public string? Baseline { get; init; }

    [CommandOption("--fail-if <RULE>"), Description(GateOptions.FailIfText)]
    public string? FailIf { get; init; }

    public GateOptions GateOptions => new(Gate, Baseline, FailIf);

    [CommandOption("--each"),
        Description("Audit MODEL with each --lora by itself, the checkpoints of one training in their order: a curve of copies over it")]
    public bool Each { get; init; }

    public override AuditOptions Over(AuditOptions own) =>
        base.Over(own) is var options && StopAtVerdict ? options with { StopAtVerdict = true } : options;

    protected override (string? Title, string? Auditor, string? Note) Names => (Title, Auditor, Note);

    public Checkpoint? OpenOriginal() => Original is null ? null : OpenOther(Original);

    public (int Index, int Count) ShardParts()
    {
        if (Shard is null) return (1, 1);
        string[] parts = Shard.Split('/');
        if (parts.Length == 2 && int.TryParse(parts[0], out int index) && int.TryParse(parts[1], out int count) && index >= 1
            && index <= count) return (index, count);
        throw new DoriException($"--shard {Shard}: I/N with I from 1 to N is wanted, such as 2/3");
    }
}

internal sealed class AuditCommand(Shell shell) : Command<AuditSettings>
{
    private const int DefaultPaths = 8;

    protected override int Execute(CommandContext context, AuditSettings settings, CancellationToken cancellation)
    {
        if (settings.Picture is not null && (settings.Images.Length > 0 || settings.List is not null))
            throw new DoriException("--picture: stands alone; --images and --list name other pictures");
        if (settings.Images.Length == 0 && settings.Picture is null)
            throw new DoriException("audit: --images DIR is missing: the folder with the pictures to look for");
        if (settings.Run.Length == 0 && !settings.Estimate) throw new DoriException("audit: -o RUN is missing: the folder for the results");
        settings.GateOptions.Check();
        if (settings.Limit < 1) throw new DoriException($"--limit {settings.Limit}: at least 1 is wanted");
        if (settings.NoReport && (settings.Gate || settings.Json))
            throw new DoriException($"--no-report: {(settings.Gate ? "--gate" : "--json")} is of the report; `dori report` takes it");
        if (settings.Each)
        {
            var each = new EachCheckpoint(shell, settings);
            each.Say(each.Run(Pictures(settings)));
            return DoriApp.Done;
        }
        (int, int) shard = settings.ShardParts();
        Audit.Audit audit = settings.Audit(shell, settings.OpenModel(settings.Model), Pictures(settings), original: settings.OpenOriginal(),
            shard: shard, reference: settings.OpenReference(settings.Model), ladder: settings.Ladder,
            paths: settings.Paths.IsSet ? settings.Paths.Value is 0 ? DefaultPaths : settings.Paths.Value : 0);
        if (settings.Estimate)
        {
            Print(audit.Estimate(), settings.Json);
            return DoriApp.Done;
        }
        RunFolder run = audit.Run(settings.Run);
        if (settings.NoReport) return DoriApp.Done;
        return settings.GateOptions.ExitCode(run, AuditOutcome.Finish(shell, run, settings));
    }

    private void Print(IReadOnlyList<(string Name, CostEstimate Cost)> estimates, bool json)
    {
        if (json)
        {
            shell.Output.WriteLine(new JsonArray([.. estimates.Select(e => (JsonNode)new JsonObject
            {
                ["protocol"] = e.Name, ["passesLeast"] = e.Cost.Least.Forward + e.Cost.Least.Backward,
                ["passes"] = e.Cost.Most.Forward + e.Cost.Most.Backward, ["secondsLeast"] = Math.Round(e.Cost.LeastTime.TotalSeconds, 1),
                ["seconds"] = Math.Round(e.Cost.Time.TotalSeconds, 1), ["memoryMiB"] = e.Cost.MemoryBytes >> 20,
                ["diskMiB"] = e.Cost.DiskBytes >> 20,
            })]).ToJsonString());
            return;
        }
        var table = new PlainTable("protocol", "passes through the UNet", "time", "memory, MiB", "disk, MiB");
        foreach ((string name, CostEstimate cost) in estimates)
            table.AddRow(name, cost.PassesText, cost.TimeText, $"{cost.MemoryBytes >> 20}", $"{cost.DiskBytes >> 20}");
        shell.Console.Write(table);
        shell.Console.WriteLine("Passes: latents forwards, and those of a search backwards too. A range: pictures stop at their verdicts. "
            + "Time and memory are from a trial on this machine just now.");
    }

    private static PictureSet Pictures(AuditSettings settings)
    {
        PictureSet set = settings.Picture is { } file ? PictureSet.OfFile(file, settings.Reading.Caption)
            : settings.List is { } list ? PictureSet.FromCaptionList(list, settings.Images)
            : PictureSet.Load(settings.Images, settings.Reading);
        if (settings.Controls is { } controls) set = set.WithControls(PictureSet.Load(controls, settings.Reading));
        return settings.Limit is { } limit ? set.Limit(limit) : set;
    }
}
