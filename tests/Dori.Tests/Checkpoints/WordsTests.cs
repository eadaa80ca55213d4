using System.Text.Json;
using Dori.Checkpoints;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Checkpoints.Adapters;
using Dori.Tests.Inputs;
using Dori.Tests.Support;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints;

/// <summary>Textual inversions as they are shared: words that take as many places in a prompt as they have vectors.</summary>
public sealed class WordsTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("dori-words-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    private static string Case(string name) => Golden.PathOf($"cases/{name}");

    private static Checkpoint Open(params string[] files) =>
        Checkpoint.Open(Golden.EmojiModel, new CheckpointOptions { Embeddings = files });

    private static string Refusal(params string[] files) => Assert.Throws<DoriException>(() => Open(files)).Message;

    private string Write(string name, params (string Key, Tensor Values)[] tensors)
    {
        string path = Path.Combine(_folder, name);
        SafetensorsWriter.Write(path, tensors);
        return path;
    }

    [Fact]
    public void Every_form_is_honoured_or_refused_by_name()
    {
        using JsonDocument expected = JsonDocument.Parse(File.ReadAllBytes(Case("embedding-forms/expected.json")));
        foreach (JsonProperty file in expected.RootElement.EnumerateObject())
        {
            string path = Case($"embedding-forms/{file.Name}");
            if (file.Value.TryGetProperty("refused", out JsonElement refused))
            {
                Assert.Contains(refused.GetString()!, Refusal(path), StringComparison.Ordinal);
                continue;
            }
            Checkpoint model = Open(path);
            string word = file.Value.GetProperty("word").GetString()!;
            int vectors = file.Value.GetProperty("vectors").GetInt32();
            ClipTokenizer tokenizer = model.OpenTokenizer();
            int[] ids = tokenizer.Encode($"a {word.ToUpperInvariant()}, here");
            Assert.Equal(Enumerable.Range(1214, vectors), ids.Where(id => id >= 1214));
            Assert.Equal(1214 + vectors, model.TextEncoder.VocabSize);
            Assert.Equal(word.StartsWith('<'), tokenizer.Encode($"a{word}b").Contains(1214)); // <my-toy> may touch letters
            Assert.DoesNotContain(Emoji.Model.Tokenizer.Encode($"a {word}"), id => id >= 1214);
            Assert.Contains(model.Notes, note => note.Contains($"the word \"{word}\"", StringComparison.Ordinal));
            Assert.Contains(model.FileHashes(), hash => hash.File == $"embedding 1: {file.Name}");
            Assert.NotEqual(Open().Sha256(), model.Sha256());
        }
    }

    [Fact]
    public void The_vectors_are_what_the_text_encoder_is_given()
    {
        using var scope = NewDisposeScope();
        string path = Case("embedding-forms/my-toy.safetensors");
        using DiffusionModel model = DiffusionModel.Load(Open(path)), plain = DiffusionModel.Load(Golden.EmojiModel);
        using SafetensorsFile file = SafetensorsFile.Open(path);
        Tensor rows = Rows(model), vectors = file.Read("emb_params").to(float32);
        Assert.Equal([1217, 128], rows.shape);
        Assert.True(rows[..1214].equal(Rows(plain)).all().item<bool>());
        Assert.True(rows[1214..].equal(vectors).all().item<bool>());
        Assert.True(model.Embed("a cat").Tokens.equal(plain.Embed("a cat").Tokens).all().item<bool>());
        Assert.True(Golden.RelativeError(plain.Embed("a my-toy").Tokens, model.Embed("a my-toy").Tokens) > 1e-3);
    }

    private static Tensor Rows(DiffusionModel model) =>
        model.TextEncoder.named_parameters().Single(p => p.name == "embeddings.token_embedding.weight").parameter.alias();

    [Theory]
    [InlineData("web", "my-toy", 2)]
    [InlineData("trainer", "my toy", 3)]
    public void Words_that_are_bundled_in_a_LoRA_come_with_it(string file, string word, int vectors)
    {
        using var scope = NewDisposeScope();
        string path = Case($"lora-bundled-embedding/{file}.safetensors");
        Checkpoint model = AdapterGoldenTests.Open(path, 1);
        AdapterGoldenTests.AssertWeights(model, "cases/lora-bundled-embedding/expected.safetensors", expected: _ => true);
        Assert.Equal(Enumerable.Range(1214, vectors), model.OpenTokenizer().Encode($"a {word} here").Where(id => id >= 1214));
        Assert.Contains($"\"{word}\" ({vectors} vectors)", string.Join(' ', model.Notes), StringComparison.Ordinal);
        Assert.Contains($"\"{word}\" ({vectors} vectors)", string.Join(' ', Dori.Checkpoints.Adapters.AdapterInfo.Read(path).Notes),
            StringComparison.Ordinal);
        Checkpoint words = Open(path); // the words without the LoRA
        Assert.Equal(Enumerable.Range(1214, vectors), words.OpenTokenizer().Encode(word).Where(id => id >= 1214));
    }

    [Fact]
    public void Several_words_and_files_each_take_their_own_rows()
    {
        using var scope = NewDisposeScope();
        string chain = Write("learned.safetensors", ("<toy>", ones(128)), ("<toy>_1", ones(128)), ("<cat>", zeros(2, 128)));
        Checkpoint model = Open(chain, Case("embedding-forms/my-toy.safetensors"));
        ClipTokenizer tokenizer = model.OpenTokenizer();
        Assert.Equal([1214, 1215], tokenizer.Encode("<cat>")[1..^1]);
        Assert.Equal([1216, 1217, 1218, 1219, 1220], tokenizer.Encode("<toy> my-toy")[1..^1]);
        Assert.Equal(32, tokenizer.EncodePadded(string.Join(' ', Enumerable.Repeat("my-toy", 20))).Length);
        Assert.Equal((30, 0), tokenizer.Losses(string.Join(' ', Enumerable.Repeat("my-toy", 20))));
        Assert.DoesNotContain(tokenizer.Encode("my-toys"), id => id >= 1218);
        Assert.Contains("given twice", Refusal(chain, chain), StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_of_the_vocabulary_is_the_trained_one_and_that_is_said()
    {
        using var scope = NewDisposeScope();
        Checkpoint model = Open(Write("Cat.safetensors", ("emb_params", ones(1, 128))));
        Assert.Equal([1214], model.OpenTokenizer().Encode("cat")[1..^1]);
        Assert.Contains("the vocabulary has it already", Assert.Single(model.Notes), StringComparison.Ordinal);
        Assert.Equal("emoji + Cat", model.Name);
    }

    [Fact]
    public void What_is_no_word_is_refused_by_what_it_is()
    {
        using var scope = NewDisposeScope();
        Tensor broken = ones(1, 128);
        broken[0, 3] = float.NaN;
        foreach ((string file, string said) in new[]
        {
            (Case("lora-tucker/lora.safetensors"), "a LoRA belongs to `Lora`"), (_folder, "a folder"),
            (Path.Combine(_folder, "x.pt"), "a pickle"), (Path.Combine(_folder, "x.png"), "hidden in a picture"),
            (Path.Combine(_folder, "x.safetensors"), "no such file"), (Write("nan.safetensors", ("emb_params", broken)), "NaN"),
            (Write("deep.safetensors", ("emb_params", ones(1, 1, 128))), "(1, 1, 128)"),
            (Write("whole.safetensors", ("emb_params", ones([1, 128], int32))), "stored as Int32"),
            (Write("pti.safetensors", ("text_encoders_0", ones(2, 128))), "pivotal tuning"),
            (Write("g.safetensors", ("clip_g", ones(2, 1280))), "for SDXL: clip_g 1280; this model has one encoder, 128 wide"),
            (Write("<|endoftext|>.safetensors", ("emb_params", ones(1, 128))), "own signs"),
        }) Assert.Contains(said, Refusal(file), StringComparison.Ordinal);
    }

    [Fact]
    public void A_word_of_several_tokens_in_a_saved_model_stands_for_all_of_them()
    {
        using var scope = NewDisposeScope();
        using var model = new CopiedModel();
        model.Write("tokenizer/added_tokens.json", """{"<toy>": 1214, "<toy>_1": 1215, "<toy>_2": 1216}""");
        Assert.Equal([1214, 1215, 1216], ClipTokenizer.Load(model.PathOf("tokenizer")).Encode("<toy>")[1..^1]);
        Assert.Contains("rows and none for them", Assert.Throws<DoriException>(() => DiffusionModel.Load(model.Folder)).Message,
            StringComparison.Ordinal);
    }
}
