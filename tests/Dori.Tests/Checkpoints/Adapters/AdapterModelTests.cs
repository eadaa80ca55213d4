using System.Text.Json;
using Dori.Checkpoints;
using Dori.Checkpoints.Adapters;
using Dori.Cli;
using Dori.Diffusion;
using Dori.Tests.Support;
using Spectre.Console.Testing;
using TorchSharp;
using static TorchSharp.torch;

namespace Dori.Tests.Checkpoints.Adapters;

/// <summary>Base + adapter as one model: its name, hash, pictures, and what a mitigation of it writes.</summary>
public sealed class AdapterModelTests : IDisposable
{
    private readonly SafetensorsScratch _scratch = new();
    private static string Kohya => Golden.PathOf("lora/kohya.safetensors");

    [Fact]
    public void Name_and_hash_tell_adapter_and_scale()
    {
        Checkpoint plain = Checkpoint.Open(Golden.EmojiModel), one = AdapterGoldenTests.Open(Kohya, 1),
            weaker = AdapterGoldenTests.Open(Kohya, 0.6);
        Assert.Equal(("emoji", "emoji + kohya", "emoji + kohya x 0.6"), (plain.Name, one.Name, weaker.Name));
        Assert.Equal(DiffusersFolder.Open(Golden.EmojiModel).Sha256(), plain.Sha256());
        Assert.Equal(3, new[] { plain.Sha256(), one.Sha256(), weaker.Sha256() }.Distinct().Count());
    }

    [Fact]
    public void The_sum_is_taken_in_float32_before_it_is_rounded()
    {
        using var scope = NewDisposeScope();
        Checkpoint model = AdapterGoldenTests.Open(Kohya, 1);
        const string name = "mid_block.attentions.0.transformer_blocks.0.attn1.to_q.weight";
        using WeightSet weights = model.OpenUNet();
        Assert.Equal(ScalarType.Float32, weights.Info(name).Dtype);
        using DiffusionModel half = DiffusionModel.Load(model, dtype: ScalarType.BFloat16);
        Tensor loaded = half.UNet.named_parameters().Single(p => p.name == name).parameter;
        Assert.Equal(0, Golden.RelativeError(loaded, weights.Read(name).to(ScalarType.BFloat16)));
    }

    /// <summary>The same weights in kohya's names and in diffusers': not a byte of a picture differs.</summary>
    [Fact]
    public void Both_forms_of_one_adapter_give_the_same_bytes()
    {
        string diffusers = AsDiffusers(Kohya);
        byte[] first = Picture("--lora", Kohya), second = Picture("--lora", diffusers);
        Assert.Equal(first, second);
        Assert.NotEqual(first, Picture());
        Assert.NotEqual(first, Picture("--lora", $"{diffusers}:0.6"));
    }

    [Fact]
    public void Two_adapters_add_up()
    {
        using var scope = NewDisposeScope();
        using WeightSet whole = AdapterGoldenTests.Open(Kohya, 1).OpenUNet();
        using WeightSet halves = Checkpoint.Open(Golden.EmojiModel, new CheckpointOptions { Adapters = [(Kohya, 0.5), (Kohya, 0.5)] })
            .OpenUNet();
        const string name = "mid_block.attentions.0.transformer_blocks.0.ff.net.2.weight";
        Assert.InRange(Golden.RelativeError(halves.Read(name), whole.Read(name)), 0, 1e-6);
    }

    [Fact]
    public void A_saved_model_holds_the_adapter_in_both_networks_and_says_so()
    {
        using var scope = NewDisposeScope();
        Checkpoint model = AdapterGoldenTests.Open(Kohya, 1);
        string target = _scratch.PathOf("whole");
        using (WeightSet unet = model.OpenUNet()) model.SaveWithUNet(target, unet.Read, "# Card\n", "{}\n");
        Assert.Contains("This is a whole model", File.ReadAllText(Path.Combine(target, "README.md")), StringComparison.Ordinal);
        Checkpoint saved = Checkpoint.Open(target);
        using WeightSet merged = model.OpenUNet(), text = model.OpenTextEncoder(), savedUNet = saved.OpenUNet(
            ), savedText = saved.OpenTextEncoder();
        const string query = "mid_block.attentions.0.transformer_blocks.0.attn2.to_q.weight",
            words = "text_model.encoder.layers.2.self_attn.v_proj.weight";
        Assert.Equal(ScalarType.Float16, savedUNet.Info(query).Dtype);
        Assert.Equal(0, Golden.RelativeError(savedUNet.Read(query), merged.Read(query).to(float16)));
        Assert.Equal(0, Golden.RelativeError(savedText.Read(words), text.Read(words).to(float16)));
    }

    [Fact]
    public void Info_tells_what_a_file_is_and_how_often_its_training_showed_each_picture()
    {
        string path = _scratch.PathOf("trained.safetensors");
        using (SafetensorsFile kohya = SafetensorsFile.Open(Kohya))
            SafetensorsWriter.Write(path, [.. kohya.Tensors.Keys.Select(key => (key, kohya.Read(key)))], new Dictionary<string, string>
            {
                ["ss_epoch"] = "12", ["ss_steps"] = "960", ["ss_base_model_version"] = "sd_v1", ["ss_network_dim"] = "999",
                ["ss_dataset_dirs"] = """{"10_sks toy": {"n_repeats": 10, "img_count": 8}}""",
            });
        (int code, string output, string error, string _) = Run("info", path, "--json");
        Assert.Equal((0, ""), (code, error));
        JsonElement info = JsonDocument.Parse(output).RootElement;
        Assert.Equal([4], info.GetProperty("ranks").EnumerateArray().Select(rank => rank.GetInt32())); // the tensors', not the metadata's
        Assert.Equal([2.0], info.GetProperty("alphas").EnumerateArray().Select(alpha => alpha.GetDouble()));
        Assert.Contains("128 wide", info.GetProperty("fits").GetString(), StringComparison.Ordinal);
        Assert.Equal(120, info.GetProperty("training").GetProperty("datasets")[0].GetProperty("seen").GetInt64());
        Assert.Contains("each seen 120 times (10 x 12 epochs)", Run("info", path).Console, StringComparison.Ordinal);
    }

    /// <summary>Who gives a folder has most likely taken it for a model.</summary>
    [Fact]
    public void Info_of_a_folder_with_an_adapter_tells_of_it_and_ends_with_2()
    {
        File.Copy(Kohya, _scratch.PathOf("pytorch_lora_weights.safetensors"));
        (int code, string _, string error, string console) = Run("info", Path.GetDirectoryName(_scratch.PathOf("x"))!);
        Assert.Equal(DoriApp.WrongInput, code);
        Assert.Contains("rank 4", console, StringComparison.Ordinal);
        Assert.Contains("a LoRA, an adapter", error, StringComparison.Ordinal);
        Assert.DoesNotContain("from_single_file", error, StringComparison.Ordinal);
    }

    [Fact]
    public void Rank_and_alpha_that_differ_are_shown_with_their_range() =>
        Assert.Contains("rank 1 to 16, alpha", AdapterInfo.Read(Golden.PathOf("cases/lora-ranks-and-alphas/lora.safetensors")).Description,
            StringComparison.Ordinal);

    [Theory]
    [InlineData("a LoRA, an adapter", "generate", "KOHYA", "t shirt")]
    [InlineData("FILE or FILE:SCALE", "generate", "MODEL", "t shirt", "--lora", "absent.safetensors:much")]
    [InlineData("no such file", "info", "MODEL", "--lora", "absent.safetensors:0.5")]
    [InlineData("does not apply", "demo", "--lora", "KOHYA")]
    public void Wrong_use_is_one_line(string part, params string[] args)
    {
        (int code, string _, string error, string _) =
            Run([.. args.Select(arg => arg == "KOHYA" ? Kohya : arg == "MODEL" ? Golden.EmojiModel : arg)]);
        Assert.Equal(DoriApp.WrongInput, code);
        Assert.Contains(part, Assert.Single(error.TrimEnd().Split('\n')), StringComparison.Ordinal);
    }

    [Fact]
    public void An_audit_shows_base_and_adapter()
    {
        string run = _scratch.PathOf("run");
        Assert.Equal(0, Run("audit", Golden.EmojiModel, "--lora", $"{Kohya}:0.6", "--images", Emoji.Pictures, "-o", run, "--limit", "1",
            "--steps", "1", "--search-batch", "1", "--sampler-steps", "1",
            "-n", "1", "--curve", "none", "--starts", "prompt", "--quiet").Code);
        JsonElement model = JsonDocument.Parse(File.ReadAllText(Path.Combine(run, "manifest.json"))).RootElement.GetProperty("model");
        Assert.Equal("emoji + kohya x 0.6", model.GetProperty("name").GetString());
        Assert.Equal(0.6, model.GetProperty("adapters")[0].GetProperty("scale").GetDouble());
        Assert.Contains(model.GetProperty("files").EnumerateObject(), file => file.Name == "lora 1 x 0.6: kohya.safetensors");
        Assert.Contains("emoji + kohya x 0.6", File.ReadAllText(Path.Combine(run, "report.html")), StringComparison.Ordinal);
    }

    /// <summary>kohya's names turned to diffusers', alpha to metadata.</summary>
    private string AsDiffusers(string kohya)
    {
        Checkpoint plain = Checkpoint.Open(Golden.EmojiModel);
        using WeightSet unet = plain.OpenUNet(), text = plain.OpenTextEncoder();
        var layers = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (string name in unet.Names) layers["lora_unet_" + name.Replace(".weight", "").Replace('.', '_')] = "unet."
            + name.Replace(".weight", "");
        foreach (string name in text.Names) layers["lora_te_" + name.Replace(".weight", "").Replace('.', '_')] = "text_encoder."
            + name.Replace(".weight", "");
        using SafetensorsFile file = SafetensorsFile.Open(kohya);
        var tensors = new List<(string, Tensor)>();
        foreach (string key in file.Tensors.Keys.Where(key => !key.EndsWith(".alpha", StringComparison.Ordinal)))
        {
            string[] parts = key.Split('.', 2);
            tensors.Add(($"{layers[parts[0]]}.{(parts[1].StartsWith("lora_down", StringComparison.Ordinal) ? "lora_A" : "lora_B")}.weight",
                file.Read(key)));
        }
        string path = _scratch.PathOf("pytorch_lora_weights.safetensors");
        SafetensorsWriter.Write(path, tensors, new Dictionary<string, string>
        {
            ["lora_adapter_metadata"] = """{"unet.r": 4, "unet.lora_alpha": 2, "text_encoder.r": 4, "text_encoder.lora_alpha": 2}""",
        });
        return path;
    }

    private byte[] Picture(params string[] lora)
    {
        string folder = _scratch.PathOf(Path.GetRandomFileName());
        (int code, string _, string error, string _) =
            Run(["generate", Golden.EmojiModel, "t shirt", "-n", "1", "-o", folder, "--sampler-steps", "2", "--quiet", .. lora]);
        Assert.True(code == 0, error);
        return File.ReadAllBytes(Path.Combine(folder, "0-0.png"));
    }

    private static (int Code, string Output, string Error, string Console) Run(params string[] args)
    {
        using var console = new TestConsole();
        console.Profile.Width = 400;
        using StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };
        int code = DoriApp.Run(args, console, output, error);
        return (code, output.ToString(), error.ToString(), console.Output);
    }

    public void Dispose() => _scratch.Dispose();
}
