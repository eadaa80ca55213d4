using System.ComponentModel;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Dori.Audit;
using Dori.Pictures;
using Dori.Pictures.Sources;
using Spectre.Console;
using Spectre.Console.Cli;

namespace Dori.Cli.Commands;

internal sealed class CanariesMakeSettings : CommonSettings
{
    [CommandOption("--images <DIR>"), Description("Pictures with captions to draw from: none of them in the training otherwise")]
    public string Images { get; init; } = "";

    [CommandOption("--pairs <N>"), Description("Pairs; of each a coin plants one picture")]
    public int Pairs { get; init; }

    [CommandOption("--doses <LIST>"), Description("How often planted pictures are shown, by commas"), DefaultValue("10,30,100,300,1000")]
    public string Doses { get; init; } = "10,30,100,300,1000";

    [CommandOption("-o|--output <DIR>"), Description("A new folder for planted/, planted.tar and sealed/")]
    public string Folder { get; init; } = "";

    [CommandOption("--copies"), Description("Every showing as a file of its own, instead of a column repeats")]
    public bool Copies { get; init; }

    [CommandOption("--guesses <N>"), Description("Pairs to be guessed for the bound on epsilon (default: all)")]
    public int? Guesses { get; init; }

    [CommandOption("--protocol <NAME>"), Description("How they will be audited: published, standard"), DefaultValue("standard")]
    public string Protocol { get; init; } = "standard";

    [CommandOption("--search-steps <N>"), Description("Search steps of that audit"), DefaultValue(50)]
    public int SearchSteps { get; init; } = 50;

    [CommandOption("--generations|-n <N>"), Description("Generations of that audit"), DefaultValue(10)]
    public int Generations { get; init; } = 10;

    [CommandOption("--caption-column <NAME>"), Description("The column that holds the captions")]
    public string? CaptionColumn { get; init; }

    [CommandOption("--caption <TEXT>"), Description("The prompt of pictures without a caption of their own")]
    public string? Caption { get; init; }

    /// <exception cref="DoriException">No numbers of showings.</exception>
    public int[] DoseList()
    {
        int[] doses = [.. Doses.Split(',').Select(text => int.TryParse(text, out int dose) ? dose : 0)];
        return doses.Length > 0 && doses.All(dose => dose is >= 1 and <= 1_000_000) && doses.Distinct().Count() == doses.Length ? doses
            : throw new DoriException($"--doses {Doses}: different numbers from 1 to 1000000 by commas are wanted, such as 10,100,1000");
    }
}

internal sealed class CanariesMakeCommand(Shell shell) : Command<CanariesMakeSettings>
{
    protected override int Execute(CommandContext context, CanariesMakeSettings settings, CancellationToken cancellation)
    {
        if (settings.Images.Length == 0) throw new DoriException("canaries make: --images DIR is missing: pictures to draw from");
        if (settings.Folder.Length == 0) throw new DoriException("canaries make: -o DIR is missing: a new folder");
        if (settings.Pairs is < 1 or > 9999) throw new DoriException($"--pairs {settings.Pairs}: 1 to 9999 is possible");
        int guesses = settings.Guesses ?? settings.Pairs;
        if (guesses < 1 || guesses > settings.Pairs)
            throw new DoriException($"--guesses {guesses}: 1 to {settings.Pairs}, the pairs, is possible");
        if (Word.Parse<Protocol>(settings.Protocol) is not (Protocol.Published or Protocol.Standard))
            throw new DoriException($"--protocol {settings.Protocol}: published and standard are possible; quick stops at verdicts, and "
                + "here similarities are compared");
        int[] doses = settings.DoseList();
        PictureSet set = PictureSet.Load(settings.Images, new PictureReading(settings.CaptionColumn, settings.Caption));
        shell.Warn(set.Warnings);
        // From the operating system, and from nothing that a command line says: a seed that could be guessed would open the seal.
        string seed = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(32));
        SealedCanaries canaries = CanaryMaker.Seal(set, settings.Pairs, doses, new CanaryProtocol(settings.Protocol,
            [AuditStart.Prompt, AuditStart.Caption], settings.SearchSteps, settings.Generations, 0, guesses), seed);
        string file = CanaryMaker.Write(settings.Folder, set, canaries, settings.Copies), hash = InputFile.Sha256(file, InputKind.Record);
        if (settings.Json) shell.Output.WriteLine(new JsonObject { ["sealed"] = file, ["sha256"] = hash }.ToJsonString());
        else
        {
            shell.Console.WriteLine($"To mix into the training: {Path.Combine(settings.Folder, CanaryMaker.Planted)}, or the same as "
                + $"{CanaryMaker.Planted}.tar: {settings.Pairs} pictures, {canaries.DosesOfPairs().Sum()} showings");
            shell.Console.WriteLine($"To keep from it: {file} and the pictures beside it. SHA-256: {hash}");
        }
        return DoriApp.Done;
    }
}
