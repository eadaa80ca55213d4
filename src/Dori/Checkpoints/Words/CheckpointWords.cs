using System.Text;
using Dori.Checkpoints.Adapters;
using Dori.Models;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Checkpoints.Words;

/// <summary>Words that a checkpoint was opened with: rows behind the text encoder's own, and the tokens that stand for them.</summary>
internal sealed class CheckpointWords
{
    private const string Rows0 = "embeddings.token_embedding.weight";

    private readonly IReadOnlyList<string> _files;
    private readonly ClipWord[] _tokens;

    /// <param name="source">The base.</param>
    /// <param name="words">From files of their own, in the order given; those of the adapters' files come after them.</param>
    /// <exception cref="DoriException">Two words are the same, or one is the tokenizer's own sign.</exception>
    public CheckpointWords(ICheckpointSource source, IReadOnlyList<TrainedWord> words, IReadOnlyList<Adapter> adapters)
    {
        _files = [.. words.Select(word => word.File).Distinct()];
        All = [.. words, .. adapters.SelectMany(adapter => adapter.Words)];
        int next = source.TextEncoder.VocabSize;
        _tokens = [.. All.Select(word => new ClipWord(word.Text, [.. Enumerable.Range((next += word.Count) - word.Count, word.Count)]))];
        Rows = next;
        if (All.Count == 0) return;
        ClipTokenizer own = source.OpenTokenizer();
        own.WithWords(_tokens);
        Notes = [.. All.Zip(_tokens).Select(pair => Note(pair.First, own, next))];
    }

    public IReadOnlyList<TrainedWord> All { get; }

    /// <summary>Rows of the text encoder with those of the words.</summary>
    public int Rows { get; }

    /// <summary>One sentence a word.</summary>
    public IReadOnlyList<string> Notes { get; } = [];

    /// <summary>What the model's name says of them: words of files of their own.</summary>
    public IEnumerable<string> Names => All.Where(word => _files.Contains(word.File)).Select(word => word.Text);

    private static string Note(TrainedWord word, ClipTokenizer own, int rows) =>
        $"{Path.GetFileName(word.File)}: the word {word.Shown} takes {(word.Count == 1 ? "1 place" : $"{word.Count} places")} in a prompt, "
            + $"capitals or not{(own.IsOneToken(word.Text) ? "; the vocabulary has it already, and the trained one is taken" : "")}"
            + (word.Count > own.MaxLength - 2 ? $"; a prompt has {own.MaxLength - 2}, so that it is cut off" : "") + ".";

    public ClipTokenizer AddTo(ClipTokenizer tokenizer) => All.Count == 0 ? tokenizer : tokenizer.WithWords(_tokens);

    /// <summary>The text encoder's weights with the words' rows behind its own.</summary>
    public WeightSet AddTo(WeightSet text)
    {
        if (All.Count == 0) return text;
        string stored = text.Names.FirstOrDefault(name => CheckpointKeys.TextEncoder(name) == Rows0)
            ?? throw new DoriException($"{text.Folder}: has no {Rows0}, which words of textual inversion are added to");
        IReadOnlyList<long> shape = text.Info(stored).Shape;
        text.Change(stored, own => cat([own, .. All.Select(word => word.Read())], 0), [Rows, shape[^1]]);
        return text;
    }

    /// <summary>SHA-256 of each file of words. Adapters' files have theirs.</summary>
    public IEnumerable<(string File, string Sha256)> Hashes() => _files.Select((file, i) =>
        ($"embedding {i + 1}: {Path.GetFileName(file)}", InputFile.Sha256(file, InputKind.Any)));

    /// <summary>For the card of a model that was made with them.</summary>
    public string CardNote()
    {
        var note = new StringBuilder("## Words\n\nThe model was made with words of textual inversion, which are not in this folder: give "
            + "their files beside it as before (`--embedding`).\n\n");
        foreach (TrainedWord word in All)
            note.Append($"- `{word.Text.Replace('`', '\'')}` in `{Path.GetFileName(word.File).Replace('`', '\'')}`\n");
        return note.ToString();
    }
}
