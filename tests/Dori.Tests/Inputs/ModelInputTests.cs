using System.Net;
using System.Text.RegularExpressions;
using Dori.Checkpoints;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Models;
using Dori.Tests.Checkpoints;
using Dori.Tests.Support;
using Spectre.Console.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Inputs;

/// <summary>Model folders as people have them: honoured, or refused by name, and what was lost is said.</summary>
public sealed class ModelInputTests : IDisposable
{
    private readonly CopiedModel _model = new();

    public void Dispose() => _model.Dispose();

    private string Refused() => Assert.Throws<DoriException>(() => DiffusionModel.Load(_model.Folder).Dispose()).Message;

    [Fact]
    public void Tensors_of_clip_s_other_half_are_passed_over_by_name_and_others_refused()
    {
        _model.AddTensors("text_encoder/model.safetensors", ("text_projection.weight", zeros(128, 128)), ("logit_scale", zeros([])),
            ("vision_model.embeddings.class_embedding", zeros(4)), ("text_model.embeddings.position_ids", arange(32,
                dtype: ScalarType.Int64).reshape(1, 32)));
        using (DiffusionModel model = DiffusionModel.Load(_model.Folder))
        {
            Assert.Empty(model.Notes);
            string all = string.Join(' ', model.Details);
            foreach (string name in new[] { "text_projection.weight", "logit_scale", "vision_model.embeddings.class_embedding",
                "text_model.embeddings.position_ids" })
                Assert.Contains(name, all, StringComparison.Ordinal);
            using Conditioning here = model.Embed("a cat"), there = Emoji.Model.Embed("a cat");
            Assert.True(here.Tokens.bytes.SequenceEqual(there.Tokens.bytes));
        }
        _model.AddTensors("text_encoder/model.safetensors", ("text_projection.bias", zeros(128)));
        Assert.Contains("1 unexpected (text_projection.bias)", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void Position_ids_that_do_not_count_are_said()
    {
        _model.AddTensors("text_encoder/model.safetensors", ("text_model.embeddings.position_ids", arange(32,
            dtype: ScalarType.Float32).reshape(1, 32).minimum(tensor(30f))));
        using DiffusionModel model = DiffusionModel.Load(_model.Folder);
        Assert.Contains("does not hold 0, 1, 2", Assert.Single(model.Notes), StringComparison.Ordinal);
    }

    [Fact]
    public void Counters_of_a_moving_average_are_passed_over_and_a_second_network_is_not()
    {
        _model.AddTensors("unet/diffusion_pytorch_model.safetensors", ("num_updates", zeros([], ScalarType.Int64)), ("decay", zeros(1)));
        using (DiffusionModel model = DiffusionModel.Load(_model.Folder)) Assert.Contains("decay, num_updates",
            Assert.Single(model.Details), StringComparison.Ordinal);
        _model.AddTensors("unet/diffusion_pytorch_model.safetensors", ("decay", zeros(4, 4)), ("ema.conv_in.bias", zeros(64)));
        Assert.Contains("2 unexpected (decay, ema.conv_in.bias)", Refused(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("<!DOCTYPE html>\n<html>Access denied</html>", "is a text that begins \"<!DOCTYPE html>")]
    [InlineData("\uFEFFversion https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 3\n", "is a Git LFS pointer")]
    [InlineData("version https://git-lfs.github.com/spec/v1\r\noid sha256:4d7a\r\nsize 3\r\n", "is a Git LFS pointer")]
    [InlineData("Entry not found", "is a text that begins \"Entry not found\"")]
    public void A_text_in_the_weights_place_is_called_one(string text, string said)
    {
        _model.Write("vae/diffusion_pytorch_model.safetensors", text);
        Assert.Contains(said, Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void A_vae_s_config_may_hold_a_moving_average_s_bookkeeping_and_its_size_twice()
    {
        _model.Write("vae/config.json", _model.Read("vae/config.json").Replace("\"sample_size\": 64",
            "\"sample_size\": [64, 64], \"decay\": 0.999, \"optimization_step\": 100"));
        using (DiffusionModel model = DiffusionModel.Load(_model.Folder))
            Assert.Contains("decay, optimization_step", Assert.Single(model.Details), StringComparison.Ordinal);
        _model.Write("vae/config.json", _model.Read("vae/config.json").Replace("[64, 64]", "[64, 32]"));
        Assert.Contains("sample_size", Refused(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("unet/diffusion_pytorch_model.safetensors")]
    [InlineData("unet/config.json")]
    [InlineData("tokenizer/vocab.json")]
    [InlineData("model_index.json")]
    public void A_git_lfs_pointer_is_called_one(string file)
    {
        _model.Write(file, "version https://git-lfs.github.com/spec/v1\noid "
            + "sha256:4d7a214614ab2935c943f9e0ff69d22eadbb8f32b1258daaa5e2ca24d17e2393\nsize 3438167534\n");
        string message = Refused();
        Assert.Contains(Path.GetFileName(file), message, StringComparison.Ordinal);
        Assert.Contains("is a Git LFS pointer, not the file itself: run `git lfs pull`", message, StringComparison.Ordinal);
    }

    /// <summary>The save, which takes them over, comes after hours of work.</summary>
    [Theory]
    [InlineData("README.md")]
    [InlineData("LICENSE")]
    public void A_card_or_license_that_cannot_be_read_is_said_before_a_mitigation(string file)
    {
        string path = _model.PathOf(file);
        File.Delete(path);
        File.CreateSymbolicLink(path, "/dev/zero");
        using var console = new TestConsole();
        using StringWriter output = new(), error = new() { NewLine = "\n" };
        string target = _model.Folder + "-new"; // not there
        Assert.Equal(DoriApp.WrongInput, DoriApp.Run(["mitigate", "wanda", _model.Folder, "--images", Emoji.Pictures, "-o", target],
            console, output, error));
        Assert.Contains($"{file}: a device", Assert.Single(error.ToString().TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void An_old_scheduler_config_draws_what_the_mended_one_draws()
    {
        string scheduler = _model.Read("scheduler/scheduler_config.json");
        _model.Write("scheduler/scheduler_config.json", ConfigScratch.Without(ConfigScratch.Without(scheduler, "steps_offset"),
            "clip_sample"));
        using DiffusionModel model = DiffusionModel.Load(_model.Folder);
        Assert.Equal(Emoji.Model.Scheduler, model.Scheduler);
        Assert.Equal(2, model.Notes.Count);
        Assert.Equal(Emoji.Model.Defaults.Sampler, model.Defaults.Sampler); // no stand-in was named
    }

    [Fact]
    public void What_was_lost_is_in_every_place_that_speaks_of_a_run()
    {
        _model.Write("scheduler/scheduler_config.json", ConfigScratch.Without(_model.Read("scheduler/scheduler_config.json"),
            "steps_offset"));
        string pictures = _model.PathOf("pictures"), run = _model.PathOf("run");
        Directory.CreateDirectory(pictures);
        File.Copy(Path.Combine(Emoji.Pictures, "verbatim-00.png"), Path.Combine(pictures, "a.png"));
        File.WriteAllText(Path.Combine(pictures, "metadata.csv"),
            $"file_name,caption\na.png,{string.Concat(Enumerable.Repeat("! ", 33))}\n");
        using var console = new TestConsole();
        using StringWriter output = new(), error = new();
        string detector = Path.Combine(Golden.EmojiModel, "copy_detector");
        string[] args = ["audit", _model.Folder, "--images", pictures, "-o", run, "--copy-detector", detector, "--starts", "prompt",
            "--curve", "none", "-n", "1", "--sampler-steps", "1", "--quiet", "--despite-control"];
        Assert.Equal(0, DoriApp.Run(args, console, output, error));
        string page = WebUtility.HtmlDecode(File.ReadAllText(Path.Combine(run, "report.html")));
        string manifest = Regex.Unescape(File.ReadAllText(Path.Combine(run, "manifest.json")));
        string summary = Regex.Unescape(File.ReadAllText(Path.Combine(run, "summary.json")));
        foreach (string note in new[] { "steps_offset (absent) is taken as 1", "a.png loses 3 tokens",
            "its \"caption\" was taken for the captions" })
            foreach (string place in new[] { error.ToString(), manifest, summary, page }) Assert.Contains(note, place,
                StringComparison.Ordinal);
    }

    [Fact]
    public void A_stand_in_is_named_in_the_defaults_and_the_file_s_own_word_wins()
    {
        string scheduler = _model.Read("scheduler/scheduler_config.json"), index = _model.Read("model_index.json");
        _model.Write("scheduler/scheduler_config.json", ConfigScratch.With(scheduler, "_class_name", "\"DEISMultistepScheduler\""));
        Assert.Contains("make both name the same", Refused(), StringComparison.Ordinal);
        _model.Write("model_index.json", ConfigScratch.With(index, "scheduler", "[\"diffusers\", \"DEISMultistepScheduler\"]"));
        using (DiffusionModel model = DiffusionModel.Load(_model.Folder)) Assert.Equal("ddim", model.Defaults.Sampler); // dori.json says so
        _model.Delete("dori.json");
        using (DiffusionModel model = DiffusionModel.Load(_model.Folder)) Assert.Equal("dpm-solver++", model.Defaults.Sampler);
    }

    [Fact]
    public void A_folder_of_the_hub_s_cache_and_folders_near_a_model_are_pointed_on()
    {
        string cache = Path.Combine(_model.Folder, "models--org--name"), snapshot = Path.Combine(cache, "snapshots", "0123abcd");
        Directory.CreateDirectory(snapshot);
        File.Copy(_model.PathOf("model_index.json"), Path.Combine(snapshot, "model_index.json"));
        Assert.Contains($"the model in it is {snapshot}: give that folder",
            Assert.Throws<DoriException>(() => DiffusersFolder.Open(cache)).Message, StringComparison.Ordinal);
        string newer = Path.Combine(cache, "snapshots", "4567");
        Directory.CreateDirectory(newer);
        File.Copy(_model.PathOf("model_index.json"), Path.Combine(newer, "model_index.json"));
        Directory.CreateDirectory(Path.Combine(cache, "refs"));
        File.WriteAllText(Path.Combine(cache, "refs", "main"), "0123abcd\n");
        Assert.Contains($"{snapshot}: give that folder", Assert.Throws<DoriException>(() => DiffusersFolder.Open(cache)).Message,
            StringComparison.Ordinal);
        Assert.Contains($"there is one in {_model.Folder}", Assert.Throws<DoriException>(() =>
            DiffusersFolder.Open(_model.PathOf("unet"))).Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("pytorch_lora_weights.safetensors", "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q.lora.down.weight")]
    [InlineData("toy.safetensors", "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q.lora_down.weight")]
    [InlineData("toy.safetensors", "base_model.model.to_q.lora_A.weight")]
    public void An_adapter_is_called_one(string file, string key)
    {
        string folder = Path.Combine(_model.Folder, "lora");
        Directory.CreateDirectory(folder);
        using (Tensor down = zeros(4, 4)) SafetensorsWriter.Write(Path.Combine(folder, file), [(key, down)]);
        foreach (string path in new[] { folder, Path.Combine(folder, file) })
        {
            string message = Assert.Throws<DoriException>(() => DiffusersFolder.Open(path)).Message;
            Assert.Contains("a LoRA", message, StringComparison.Ordinal);
            Assert.Contains("`Lora`", message, StringComparison.Ordinal);
            Assert.DoesNotContain("from_single_file", message, StringComparison.Ordinal);
        }
    }

    [Fact]
    public void Tokenizer_json_alone_gives_the_same_ids()
    {
        foreach (string file in new[] { "vocab.json", "merges.txt", "special_tokens_map.json" }) _model.Delete($"tokenizer/{file}");
        ClipTokenizer tokenizer = ClipTokenizer.Load(_model.PathOf("tokenizer"), 32);
        foreach (string text in new[] { "a giraffe and two violins", "", "T-Shirt <|endoftext|> 12 ünï !", "<|STARTOFTEXT|>" })
            Assert.Equal(Emoji.Model.Tokenizer.EncodePadded(text), tokenizer.EncodePadded(text));
        string whole = _model.Read("tokenizer/tokenizer.json");
        const string end = "\"end_of_word_suffix\": ";
        _model.Write("tokenizer/tokenizer.json", whole.Replace(end + "\"</w>\"", end + "\"\"", StringComparison.Ordinal));
        Assert.Contains("a CLIP tokenizer is wanted", Refused(), StringComparison.Ordinal);
        _model.Write("tokenizer/tokenizer.json",
            """{"model": {"type": "BPE", "end_of_word_suffix": "</w>", "vocab": {"a": 0}, "merges": [["a"]]}}""");
        Assert.Contains("merge, number 1", Refused(), StringComparison.Ordinal);
    }

    [Fact]
    public void An_added_token_needs_its_row_in_the_text_encoder()
    {
        _model.Write("tokenizer/added_tokens.json", """{"<my-toy>": 1214}""");
        Assert.Contains("adds \"<my-toy>\" (1214) to the vocabulary, and the text encoder has 1214 rows", Refused(),
            StringComparison.Ordinal);
        _model.Write("tokenizer/added_tokens.json", """{"<my-toy>": 7}""");
        Assert.Contains("the added token \"<my-toy>\" has the id 7", Refused(), StringComparison.Ordinal);

        // The text encoder as textual inversion saves it: one row more.
        _model.Write("tokenizer/added_tokens.json", """{"<my-toy>": 1214}""");
        using (SafetensorsFile file = SafetensorsFile.Open(Path.Combine(Golden.EmojiModel, "text_encoder", "model.safetensors")))
        {
            using var scope = NewDisposeScope();
            string key = file.Tensors.Keys.Single(name => name.EndsWith("token_embedding.weight", StringComparison.Ordinal));
            _model.Delete("text_encoder/model.safetensors");
            SafetensorsWriter.Write(_model.PathOf("text_encoder/model.safetensors"),
                [.. file.Tensors.Keys.Select(name => (name, name == key ? cat([file.Read(name), ones(1, 128)]) : file.Read(name)))]);
        }
        _model.Write("text_encoder/config.json", ConfigScratch.With(_model.Read("text_encoder/config.json"), "vocab_size", "1215"));
        using DiffusionModel model = DiffusionModel.Load(_model.Folder);
        Assert.Contains("\"<my-toy>\"", Assert.Single(model.Details), StringComparison.Ordinal);
        Assert.Contains(1214, model.Tokenizer.Encode("a <My-Toy> on a table")); // looked for after lower-casing
        Assert.Equal(Emoji.Model.Tokenizer.Encode("a cat"), model.Tokenizer.Encode("a cat"));
    }
}
