using System.ComponentModel;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Pictures;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class AuditSettings : StartsSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--images <DIR>"),
        Description("An imagefolder: pictures beside metadata.csv or metadata.jsonl (file_name, text, and optionally item, kind, role)")]
    public string Images { get; init; } = "";

    [CommandOption("--list <FILE>"),
        Description("A published caption list (NeMo's CSV, or JSON lines); --images then holds its pictures by index")]
    public string? List { get; init; }

    [CommandOption("--controls <DIR>"),
        Description("An imagefolder of pictures that the model has never seen (default: those of --images with role control)")]
    public string? Controls { get; init; }

    [CommandOption("--original <MODEL>"), Description("The ancestor that is expected to hold the pictures, searched in the same way: shows "
        + "that this search finds them (--lora does not apply to it)")]
    public string? Original { get; init; }

    [CommandOption("-o|--output <RUN>"), Description("The run folder; one that holds the same run is resumed")]
    public string Run { get; init; } = "";

    [CommandOption("--limit <N>"), Description("The first N items of each role and kind")]
    public int? Limit { get; init; }

    [CommandOption("--shard <I/N>"), Description("Every N-th unit only, from the I-th on; `dori report` merges the folders")]
    public string? Shard { get; init; }

    [CommandOption("--gate"),
        Description("Exit code 0 only where every picture is not found; 1 where one is retained or undecided, 2 where it is not known")]
    public bool Gate { get; init; }

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
    protected override int Execute(CommandContext context, AuditSettings settings, CancellationToken cancellation)
    {
        if (settings.Images.Length == 0)
            throw new DoriException("audit: --images DIR is missing: the folder with the pictures to look for");
        if (settings.Run.Length == 0) throw new DoriException("audit: -o RUN is missing: the folder for the results");
        if (settings.Limit < 1) throw new DoriException($"--limit {settings.Limit}: at least 1 is wanted");
        (int, int) shard = settings.ShardParts();
        RunFolder run = settings.Audit(shell, settings.OpenModel(settings.Model), Pictures(settings), original: settings.OpenOriginal(),
            shard: shard).Run(settings.Run);
        return AuditOutcome.ExitCode(AuditOutcome.Finish(shell, run, settings), settings.Gate);
    }

    private static PictureSet Pictures(AuditSettings settings)
    {
        PictureSet set = settings.List is { } list ? PictureSet.FromCaptionList(list, settings.Images) : PictureSet.Load(settings.Images);
        if (settings.Controls is { } controls) set = set.WithControls(PictureSet.Load(controls));
        return settings.Limit is { } limit ? set.Limit(limit) : set;
    }
}
