using System.ComponentModel;
using Dori.Audit;
using Dori.Checkpoints;
using Dori.Mitigation;
using Dori.Models;
using Dori.Pictures;
using Dori.Pictures.Sources;
using Spectre.Console.Cli;

namespace Dori.Cli;

/// <summary>Further inputs of a mitigation, as far as it takes them.</summary>
/// <param name="Generator">Null: the model itself.</param>
internal sealed record MitigateInputs(string? CopyDetector = null, string? Preset = null, string? Generator = null,
    string? Ordinary = null, int? OrdinaryLimit = null);

/// <summary>What every mitigation takes: a model, the pictures that it is to forget, and where the new model goes.</summary>
internal abstract class MitigateSettings : ModelSettings
{
    [CommandArgument(0, "<MODEL>"), Description("A diffusers folder, or a single .safetensors file")]
    public string Model { get; init; } = "";

    [CommandOption("--images <DIR>"),
        Description("The pictures to forget: a folder, .tar or .parquet (those of role control are left out)")]
    public string Images { get; init; } = "";

    [CommandOption("--list <FILE>"),
        Description("A published caption list (NeMo's CSV, or JSON lines); --images then holds its pictures by index")]
    public string? List { get; init; }

    [CommandOption("--caption-column <NAME>"),
        Description("The column or field that holds the captions (default: text, caption or prompt)")]
    public string? CaptionColumn { get; init; }

    [CommandOption("--caption <TEXT>"),
        Description("The prompt of pictures without a caption of their own, as DreamBooth trains them; \"\" for none")]
    public string? Caption { get; init; }

    [CommandOption("-o|--output <NEWMODEL>"), Description("The new model's folder: absent or empty")]
    public string Output { get; init; } = "";

    [CommandOption("--kinds <LIST>"),
        Description("Which pictures, by commas: verbatim, template, or none for those without a kind (default: all)")]
    public string? Kinds { get; init; }

    [CommandOption("--items <LIST>"), Description("Only these items, by their ids and commas")]
    public string? Items { get; init; }

    [CommandOption("--limit <N>"), Description("The first N items of each kind")]
    public int? Limit { get; init; }

    [CommandOption("--seed <N>"), Description("Every random number follows from it (default: 0)")]
    public long Seed { get; init; }

    /// <summary>How sets of pictures are read.</summary>
    public PictureReading Reading => new(CaptionColumn, Caption);

    /// <summary>The method with what the command line says of it.</summary>
    public abstract IMitigation Mitigation();

    public virtual MitigateInputs Inputs => new();

    /// <summary>Where surrogates and an unfinished training's state lie; null: beside the new model.</summary>
    public virtual string? Work { get; init; }

    /// <summary>Training steps from one writing of the state to the next.</summary>
    public virtual int SaveEvery { get; init; } = 50;

    /// <summary>The model and all pictures of --images, controls too, after everything that needs no work has been checked.</summary>
    /// <param name="verb">For messages, such as "mitigate wanda".</param>
    public (Checkpoint Folder, PictureSet Set) Open(Shell shell, string verb)
    {
        if (Images.Length == 0) throw new DoriException($"{verb}: --images DIR is missing: the folder with the pictures to forget");
        if (Output.Length == 0) throw new DoriException($"{verb}: -o NEWMODEL is missing: the folder for the new model");
        if (Limit < 1) throw new DoriException($"--limit {Limit}: at least 1 is wanted");
        DiffusersFolder.CheckTarget(Output);
        Checkpoint folder = OpenModel(Model);
        DiffusersFolder.CheckBesides(folder.Folder);
        PictureSet set = List is { } list ? PictureSet.FromCaptionList(list, Images) : PictureSet.Load(Images, Reading);
        ClipTokenizer tokenizer = folder.OpenTokenizer();
        shell.Warn([.. folder.Notes, .. set.Warnings, .. PictureLosses.Of(set), .. CaptionLosses.Of(set, tokenizer)]);
        if (set.Missing.Count > 0)
            shell.Error.WriteLine($"dori: warning: {set.Missing.Count} entries of the list have no picture and stay as they are; "
                + $"{set.Items.Count} remain");
        return (folder, set);
    }

    /// <summary>The items to forget, in the set's order.</summary>
    /// <exception cref="DoriException">None is left, or one that is named is not there.</exception>
    public PictureSet ToForget(PictureSet set)
    {
        PictureSet chosen = set.Where(item => item.Role != PictureRole.Control);
        if (Items is { } list)
        {
            string[] ids = Parts(list);
            foreach (string id in ids)
                if (!chosen.Items.Any(item => item.Id == id)) throw new DoriException($"--items: {Images} has no item {id} of role audit");
            chosen = chosen.Where(item => ids.Contains(item.Id));
        }
        if (Kinds is not null)
        {
            PictureKind[] kinds = [.. Parts(Kinds).Select(Kind)];
            chosen = chosen.Where(item => kinds.Contains(item.Kind));
        }
        if (chosen.Items.Count == 0)
            throw new DoriException($"{Images}: no pictures to forget: every one has the role "
                + $"control{(Kinds is null ? "" : $" or a kind other than {Kinds}")}");
        return Limit is { } limit ? chosen.Limit(limit) : chosen;

        static PictureKind Kind(string name) => name == "none" ? PictureKind.None : Word.Parse<PictureKind>(name)
            ?? throw new DoriException($"--kinds: \"{name}\" is not known; verbatim, template and none are possible");
    }
}
