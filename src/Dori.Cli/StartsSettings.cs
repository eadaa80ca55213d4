using System.ComponentModel;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Pictures;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Where searches begin and where they are looked at on their way: of every verb that audits.</summary>
internal class StartsSettings : SearchSettings
{
    [CommandOption("--protocol <NAME>"), Description("Options that belong together: published (DDIM, 50 steps, no mirror images), standard "
        + "(a faster sampler), quick (standard, and no picture is searched further than its verdict needs)")]
    public string? Protocol { get; init; }

    [CommandOption("--starts <LIST>"),
        Description("Where searches begin, by commas: prompt (no search), caption, random, other (default: all)")]
    public string? Starts { get; init; }

    [CommandOption("--curve <LIST>"), Description("Further steps at which the curve is taken, by commas, or none (default: 0,1,10,25)")]
    public string? Curve { get; init; }

    [CommandOption("--curve-generations <N>"), Description("Pictures generated at each step of the curve (default: 4)")]
    public int? CurveGenerations { get; init; }

    public override AuditOptions Over(AuditOptions own)
    {
        AuditOptions options = base.Over(own);
        return options with
        {
            Starts = Starts is null ? own.Starts : StartsOf(Starts),
            CurveSteps = Curve is null ? options.CurveSteps : CurveSteps(Curve),
            CurveGenerations = CurveGenerations ?? options.CurveGenerations,
        };
    }

    /// <summary>An audit under these settings.</summary>
    /// <param name="adjust">Last changes to the options.</param>
    /// <param name="protocol">Where none is asked for.</param>
    public Audit.Audit Audit(Shell shell, Checkpoint model, PictureSet pictures, Func<AuditOptions, AuditOptions>? adjust = null,
        Checkpoint? original = null, (int Index, int Count)? shard = null,
        string? protocol = null, Checkpoint? reference = null, bool ladder = false, int paths = 0) => new(model, pictures)
    {
        Options = own => adjust is null ? Over(own) : adjust(Over(own)),
        Protocol = Protocol ?? protocol,
        Machine = Machine,
        FitsMicroBatch = MicroBatch is null,
        CopyDetector = CopyDetector,
        Preset = Preset,
        Original = original,
        Reference = reference,
        Ladder = ladder,
        Paths = paths,
        Shard = shard ?? (1, 1),
        DespiteControl = DespiteControl,
        Command = shell.CommandLine,
        Title = Names.Title,
        Auditor = Names.Auditor,
        Note = Names.Note,
        Watch = shell.Watch(this),
    };

    /// <summary>What the report says of itself, where a verb asks for it.</summary>
    protected virtual (string? Title, string? Auditor, string? Note) Names => default;

    private static AuditStart[] StartsOf(string text) =>
        [.. Parts(text).Select(name => Word.Parse<AuditStart>(name)
            ?? throw new DoriException($"--starts: \"{name}\" is not known; choose from {Word.All<AuditStart>()}"))];

    private static int[] CurveSteps(string text)
    {
        if (text == "none") return [];
        try
        {
            return [.. Parts(text).Select(int.Parse).Order().Distinct()];
        }
        catch (Exception e) when (e is FormatException or OverflowException)
        {
            throw new DoriException($"--curve {text}: numbers of steps by commas are wanted, such as 0,1,10,25, or none", e);
        }
    }
}
