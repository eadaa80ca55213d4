using System.ComponentModel;
using System.Text.Json;
using System.Text.Json.Serialization;
using Dori.Native;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class DoctorSettings : CommonSettings
{
    [CommandOption("--python <PROGRAM>"), Description("A Python with PyTorch, such as python3: where its libtorch lies")]
    public string? Python { get; init; }

    [CommandOption("--device <DEVICE>"), Description("auto, cpu, cuda or cuda:N"), DefaultValue(Devices.Auto)]
    public string Device { get; init; } = Devices.Auto;

    [CommandOption("--copy-detector <PATH>"), Description("A copy detector to try; it is code and will be run")]
    public string? CopyDetector { get; init; }

    [CommandOption("--preset <NAME>"), Description("How pictures are brought to it (default: the JSON beside it)")]
    public string? Preset { get; init; }

    [CommandOption("--speed"), Description("Measure time and memory at Stable Diffusion 1.x's size; takes 6 GB and, on a CPU, minutes")]
    public bool Speed { get; init; }

    public override bool Computes => false; // it says what is wrong itself
}

[JsonSourceGenerationOptions(PropertyNamingPolicy = JsonKnownNamingPolicy.CamelCase, WriteIndented = true, NewLine = "\n")]
[JsonSerializable(typeof(IReadOnlyList<Finding>))]
internal sealed partial class DoctorJson : JsonSerializerContext;

internal sealed class DoctorCommand(Shell shell) : Command<DoctorSettings>
{
    protected override int Execute(CommandContext context, DoctorSettings settings, CancellationToken cancellation)
    {
        var doctor = new Doctor(settings.Device, settings.Python);
        var findings = new List<Finding>();
        foreach (Finding finding in doctor.Examine(settings.CopyDetector, settings.Preset, settings.Speed))
        {
            findings.Add(finding);
            if (settings.Json || settings.Quiet) continue;
            shell.Console.WriteLine($"{finding.State,-8}{finding.What}: {finding.Found}");
            if (finding.Remedy.Length > 0) shell.Console.WriteLine($"{"",-8}-> {finding.Remedy}");
        }
        if (settings.Json) shell.Output.WriteLine(JsonSerializer.Serialize(findings, DoctorJson.Default.IReadOnlyListFinding));
        return findings.All(finding => finding.State != Finding.Failed) ? DoriApp.Done : DoriApp.WrongInput;
    }
}
