using System.ComponentModel;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Options of every verb.</summary>
internal class CommonSettings : CommandSettings
{
    [CommandOption("--quiet"), Description("No progress, no tables")]
    public bool Quiet { get; init; }

    [CommandOption("--json"), Description("The result as JSON on standard output, and nothing else there")]
    public bool Json { get; init; }

    /// <summary>The parts of a list by commas.</summary>
    internal static string[] Parts(string list) => list.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Whether the verb computes anything, so that it needs a libtorch that can be used.</summary>
    public virtual bool Computes => true;

    /// <summary>What to say of options that were given by a former name.</summary>
    public virtual IEnumerable<string> FormerNames => [];
}
