using System.Reflection;

namespace Dori;

internal static class ProgramVersion
{
    /// <summary>Without its commit.</summary>
    public static string Text { get; } =
        (typeof(ProgramVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "0")
            .Split('+')[0];
}
