using System.Reflection;
using Dori.Cli.Commands;
using Spectre.Console;
using Spectre.Console.Cli;
using Spectre.Console.Cli.Help;
using Spectre.Console.Rendering;

namespace Dori.Cli;

/// <summary>
/// The help of a verb: its own options first, then those that it has in common with others, by group; the rarer groups with
/// <c>--help-all</c> alone.
/// </summary>
internal sealed class Help(ICommandAppSettings settings, bool all) : HelpProvider(settings)
{
    public const string All = "--help-all";

    /// <summary>Settings that several verbs share, as people call them, and whether a short help shows them.</summary>
    private static readonly (Type Settings, string Title, bool Always)[] s_groups =
    [
        (typeof(MitigatePicturesSettings), "PICTURES IN THEIR PLACE", true),
        (typeof(MitigateTrainingSettings), "TRAINING", true),
        (typeof(MitigateSettings), "WHAT TO FORGET", true),
        (typeof(ReferenceSettings), "BESIDE ANOTHER MODEL", true),
        (typeof(StartsSettings), "WHERE SEARCHES BEGIN", false),
        (typeof(SearchSettings), "SEARCH AND COMPARISON", false),
        (typeof(SamplingSettings), "PICTURES", false),
        (typeof(CheckpointSettings), "MODEL", true),
        (typeof(ModelSettings), "MACHINE", true),
        (typeof(CommonSettings), "OUTPUT", true),
    ];

    /// <summary>A verb's settings, by its name; those of <c>mitigate</c> by its methods', those of <c>canaries</c> by what it
    /// does. In the order in which they are told.</summary>
    internal static readonly IReadOnlyDictionary<string, Type> Verbs = new Dictionary<string, Type>
    {
        ["demo"] = typeof(DemoSettings),
        ["doctor"] = typeof(DoctorSettings),
        ["info"] = typeof(InfoSettings),
        ["generate"] = typeof(GenerateSettings),
        ["audit"] = typeof(AuditSettings),
        ["calibrate"] = typeof(CalibrateSettings),
        ["make"] = typeof(CanariesMakeSettings),
        ["judge"] = typeof(CanariesJudgeSettings),
        ["false-alarms"] = typeof(FalseAlarmsSettings),
        ["locality"] = typeof(LocalitySettings),
        ["report"] = typeof(ReportSettings),
        ["sign"] = typeof(SignSettings),
        ["verify"] = typeof(VerifySettings),
        ["wanda"] = typeof(MitigateWandaSettings),
        ["nemo"] = typeof(MitigateNemoSettings),
        ["esd"] = typeof(MitigateEsdSettings),
        ["concept-ablation"] = typeof(MitigateConceptAblationSettings),
        ["siss"] = typeof(MitigateSissSettings),
        ["adversarial"] = typeof(MitigateAdversarialSettings),
        ["evaluate"] = typeof(EvaluateSettings),
        ["compare"] = typeof(CompareSettings),
        ["diff"] = typeof(DiffSettings),
    };

    /// <summary>The word before a verb; empty where none is.</summary>
    internal static string BranchOf(Type settings) => typeof(MitigateSettings).IsAssignableFrom(settings) ? "mitigate"
        : settings == typeof(CanariesMakeSettings) || settings == typeof(CanariesJudgeSettings) ? "canaries" : "";

    /// <summary>Options that a verb declares itself, or shares with none but its kind: the shown ones.</summary>
    internal static IEnumerable<PropertyInfo> OwnOptions(Type verb) => verb.GetProperties()
        .Where(property => property.GetCustomAttribute<CommandOptionAttribute>() is { IsHidden: false })
        .Where(property => s_groups.All(group => group.Settings != property.DeclaringType));

    /// <summary>The group that an option of a verb belongs to; null: it is the verb's own.</summary>
    private static (string Title, bool Always)? GroupOf(Type? verb, ICommandOption option)
    {
        Type? declaring = verb?.GetProperties().FirstOrDefault(property =>
            property.GetCustomAttribute<CommandOptionAttribute>()?.LongNames.Intersect(option.LongNames).Any() == true)?.DeclaringType;
        return s_groups.Where(group => group.Settings == declaring).Select(group => ((string, bool)?)(group.Title, group.Always))
            .FirstOrDefault();
    }

    public override IEnumerable<IRenderable> GetOptions(ICommandModel model, ICommandInfo? command)
    {
        ICommandOption[] options = [.. command?.Parameters.OfType<ICommandOption>().Where(option => !option.IsHidden) ?? []];
        if (options.Length == 0) return base.GetOptions(model, command);
        Type? verb = Verbs.GetValueOrDefault(command!.Name);
        var parts = new List<IRenderable>();
        bool hidden = false;
        foreach (var group in options.GroupBy(option => GroupOf(verb, option))
            .OrderBy(group => Array.FindIndex(s_groups, known => known.Title == group.Key?.Title)))
        {
            if (group.Key is { Always: false } && !all) hidden = true;
            else parts.AddRange(Section(group.Key?.Title ?? "OPTIONS", group));
        }
        parts.Add(new Text($"\n{(hidden ? $"{All} lists all options: how to search, how to draw, how to compare.\n" : "")}"));
        return parts;
    }

    private static IEnumerable<IRenderable> Section(string title, IEnumerable<ICommandOption> options)
    {
        yield return new Markup($"\n[yellow]{title}:[/]\n");
        var grid = new Grid().AddColumn(new GridColumn().PadLeft(4).PadRight(4).NoWrap()).AddColumn(new GridColumn().PadRight(0));
        foreach (ICommandOption option in options)
            grid.AddRow(new Text(Flag(option)), new Text(option.Description?.TrimEnd('.') ?? ""));
        yield return grid;
    }

    /// <summary>"-o, --output &lt;RUN&gt;".</summary>
    private static string Flag(ICommandOption option)
    {
        IEnumerable<string> names = [.. option.ShortNames.Select(name => $"-{name}"), .. option.LongNames.Select(name => $"--{name}")];
        string text = string.Join(", ", names);
        return (option.ShortNames.Count == 0 ? "    " : "") + text
            + (option.IsFlag || option.ValueName is null ? "" : $" <{option.ValueName}>");
    }
}
