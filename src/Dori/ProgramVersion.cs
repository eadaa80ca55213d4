using System.Reflection;

namespace Dori;

internal static class ProgramVersion
{
    /// <summary>"0.1.0+2d6f...", with the commit that it was built from, where that is known.</summary>
    public static string WithCommit { get; } =
        typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0";

    /// <summary>Without its commit: what records hold.</summary>
    public static string Text { get; } = WithCommit.Split('+')[0];
}
