using System.Diagnostics;
using Dori.Tests.House;

namespace Dori.Tests;

/// <summary>The library as its users get it: packed, installed from a folder, in a program of its own.</summary>
public sealed class PackageTests
{
    /// <summary>Nothing of ours runs before the first call of TorchSharp, but for what the package compiles into the program.</summary>
    [Fact(Explicit = true)]
    [Trait("Category", "Slow")]
    public void A_programs_first_line_may_be_TorchSharps()
    {
        string folder = Directory.CreateTempSubdirectory("dori-package-").FullName, packages = Path.Combine(folder, "packages"),
            app = Path.Combine(folder, "app");
        try
        {
            Directory.CreateDirectory(app);
            Dotnet(Sources.Root, "pack", "src/Dori", "-c", "Release", "-o", packages, "-p:Version=0.0.1-test", "--nologo");
            File.WriteAllText(Path.Combine(app, "app.csproj"), """
                <Project Sdk="Microsoft.NET.Sdk">
                  <PropertyGroup>
                    <OutputType>Exe</OutputType>
                    <TargetFramework>net10.0</TargetFramework>
                    <RestoreAdditionalProjectSources>../packages</RestoreAdditionalProjectSources>
                    <RestorePackagesPath>../installed</RestorePackagesPath>
                    <RestoreFallbackFolders>$(NuGetPackageRoot);$(HOME)/.nuget/packages</RestoreFallbackFolders>
                  </PropertyGroup>
                  <ItemGroup>
                    <PackageReference Include="Dori.Core" Version="0.0.1-test" />
                  </ItemGroup>
                </Project>
                """);
            File.WriteAllText(Path.Combine(app, "Program.cs"), "System.Console.WriteLine(TorchSharp.torch.zeros(1).shape[0]);");
            Assert.EndsWith("1", Dotnet(app, "run", "-c", "Release").Trim(), StringComparison.Ordinal);
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static string Dotnet(string folder, params string[] arguments)
    {
        using Process process =
            Process.Start(new ProcessStartInfo("dotnet", arguments) { WorkingDirectory = folder, RedirectStandardOutput = true })!;
        string output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        Assert.True(process.ExitCode == 0, output);
        return output;
    }
}
